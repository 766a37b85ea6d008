"""Approvals 批准: a second person's own consent to exactly one request of another.

Owns consent and its use. Invariant: an approval is for the one content whose digest it names, is
used by one request at most, and lapses by itself; neither it nor its use is corrected or annulled.
"""

from datetime import timedelta
from typing import Annotated

from domain.acts.rights import AccountId, require_account
from domain.case import Case
from domain.events import Code, Event, Facet, Id, Subject, Writes
from domain.refusals import AlreadyRecorded, ApprovalNeeded, ImpossibleDate, MissingField

APPROVAL = Facet("approval", of="request", zh="批准", en="approval", stays=True)

RequestId = Annotated[Id, Subject("request")]
"""A keyed digest of everything that is asked for: it tells nothing to who lacks the key."""

LONGEST = timedelta(days=31)


class RequestApproved(Event):
    """A second person agrees to a request of another (批准请求); `until` says how long it holds.

    It is entered by the approver's own account, after the content was shown to it.
    """

    zh = "批准请求"
    en = "Request approved"
    day = "批准之日,即登记之日"
    final = True
    writes = (Writes(APPROVAL, key="request", value=("account", "issuer", "subject")),)

    request: RequestId
    account: AccountId
    issuer: Code
    subject: Code

    def decide(self, case: Case) -> None:
        require_account(self.account, self.issuer, self.subject)
        if case.effective != case.today:
            raise ImpossibleDate("an approval is of the day it is given", field="effective",
                                 zh="批准之日即登记之日")  # fmt: skip
        if case.until is None or case.until > case.effective + LONGEST:
            raise MissingField(f"an approval lapses within {LONGEST.days} days", field="until",
                               zh=f"批准须在 {LONGEST.days} 日内失效")  # fmt: skip
        if case.value(APPROVAL, self.request) is not None:
            raise AlreadyRecorded("the request is approved", zh="该请求已获批准")


class ApprovalUsed(Event):
    """The acts of this batch are entered on an approval, which is thereby used up (使用批准)."""

    zh = "使用批准"
    en = "Approval used"
    day = "登记之日"
    final = True
    ends = (APPROVAL,)

    request: RequestId
    account: AccountId

    def decide(self, case: Case) -> None:
        given = case.value(APPROVAL, self.request)
        if given is None or given["account"] != self.account:
            raise ApprovalNeeded(self.request)
        case.end(APPROVAL, self.request)
