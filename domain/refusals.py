"""Every way an entry can be refused.

Owns the refusals: a code for machines, a sentence in Chinese and English for people, and where it
points (field, item of the request, article, entry). Invariant: no private value is in any of them.
The class docstring is the default wording; `category` says whose fault it is.
"""

from collections.abc import Sequence
from typing import Any, ClassVar


class Refusal(Exception):
    """The ledger refuses."""

    code: ClassVar[str] = "refused"
    category: ClassVar[str] = "refused"  # incorrect | refused | conflict | unavailable
    zh: ClassVar[str] = "不予登记"

    def __init__(
        self,
        detail: str = "",
        *,
        zh: str = "",
        field: str | None = None,
        index: int | None = None,
        rule: str | None = None,
        article: str | None = None,
        position: int | None = None,
    ) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip().splitlines()[0]
        self.detail_zh = zh or type(self).zh
        self.field = field
        self.index = index
        self.rule = rule
        self.article = article
        self.position = position
        super().__init__(self.detail)

    def as_dict(self) -> dict[str, Any]:
        """A plain shape for the API and the command line; absent pointers are left out."""
        answer: dict[str, Any] = {
            "code": self.code,
            "detail": self.detail,
            "detail_zh": self.detail_zh,
        }
        for name in ("field", "index", "rule", "article", "position"):
            if (value := getattr(self, name)) is not None:
                answer[name] = value
        return answer


class BadInput(Refusal):
    """A field has a value it cannot have."""

    code = "bad-input"
    category = "incorrect"
    zh = "字段取值不合格式"


class BadJson(BadInput):
    """The body is not JSON of the expected shape."""

    code = "bad-json"
    zh = "请求正文不是合格的 JSON"


class UnknownType(BadInput):
    """There is no event type of this name."""

    code = "unknown-type"
    zh = "没有这种事项"


class UnknownField(BadInput):
    """The event type has no such field."""

    code = "unknown-field"
    zh = "该事项没有这个字段"


class MissingField(BadInput):
    """A field that the event type requires is missing."""

    code = "missing-field"
    zh = "缺少必填字段"


class ImpossibleDate(BadInput):
    """The date does not exist, or lies outside what a record can hold."""

    code = "impossible-date"
    zh = "日期不存在或超出范围"


class TooLarge(BadInput):
    """The request is larger than one append may be."""

    code = "too-large"
    zh = "请求过大"


class UnknownSubject(Refusal):
    """The record knows no such subject."""

    code = "unknown-subject"
    category = "incorrect"
    zh = "账本中没有这个对象"


class UnknownFact(Refusal):
    """There is no such entry to correct or end."""

    code = "unknown-fact"
    category = "incorrect"
    zh = "没有可更正或终止的登记"


class AlreadyRecorded(Refusal):
    """The record already says so."""

    code = "already-recorded"
    zh = "账本已有此登记"


class NotInService(Refusal):
    """The auxiliary is not in service on the day the act takes effect."""

    code = "not-in-service"
    zh = "该辅警于生效日不在职"


class RecordForbids(Refusal):
    """What the record says on that day makes the act impossible."""

    code = "record-forbids"
    zh = "与账本所载状态相抵触"


class ImpactRefused(Refusal):
    """Acts entered before would now be refused; mend them in the same batch or acknowledge them."""

    code = "impact-refused"
    zh = "此前的登记将不成立,须在同一批更正或者逐项确认"

    def __init__(self, impacts: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__()
        self.impacts = list(impacts)

    def as_dict(self) -> dict[str, Any]:
        """With `impacts`: each entry's position, type and day, and the refusal it would meet."""
        return {**super().as_dict(), "impacts": self.impacts}


class ApprovalNeeded(Refusal):
    """The second person has not agreed to this request with an account of their own."""

    code = "approval-needed"
    zh = "批准人尚未以本人账号批准该请求"

    def __init__(self, request: str = "") -> None:
        super().__init__(field="approved_by")
        self.request = request

    def as_dict(self) -> dict[str, Any]:
        """With `request`: the digest of what waits for the approval."""
        return {**super().as_dict(), "request": self.request}


class NotUndermined(Refusal):
    """The entry acknowledged would not be refused; there is nothing to acknowledge."""

    code = "not-undermined"
    category = "incorrect"
    zh = "该登记不受影响,无须确认"


class LawForbids(Refusal):
    """A rule in force forbids the act."""

    code = "law-forbids"
    zh = "现行规定不允许"


class ClosedPeriod(Refusal):
    """The period is closed: a change of the past needs a second person's approval."""

    code = "closed-period"
    zh = "该期间已封账,更改须经另一人批准"


class HeldBack(Refusal):
    """A retention or a legal hold forbids destroying these data."""

    code = "held-back"
    zh = "留存期或法律保全期间不得销毁"


class DataErased(Refusal):
    """These private data were destroyed: they are neither brought back nor entered again."""

    code = "data-erased"
    zh = "该类个人信息已销毁,不能恢复或再登记"


class DataRestricted(Refusal):
    """These private data are restricted: nothing is read or entered until that is lifted."""

    code = "data-restricted"
    zh = "该类个人信息已限制处理,解除前不能读取或登记"


class WrongCorrection(Refusal):
    """A correction keeps the type and the subject; a wrong one is annulled and entered anew."""

    code = "wrong-correction"
    zh = "更正不得改变事项种类和对象,应撤销后重新登记"


class Taken(Refusal):
    """Another subject holds this value."""

    holder: str | None = None  # whom a private value led to: for the log of reads, never told
    code = "taken"
    category = "conflict"
    zh = "该号码已属他人"


class Superseded(Refusal):
    """Someone has corrected this fact first; the position names the winner's entry."""

    code = "superseded"
    category = "conflict"
    zh = "该登记已先被他人更正"


class Conflict(Refusal):
    """Someone else entered something that this decision rests on, several times over."""

    code = "conflict"
    category = "conflict"
    zh = "有人同时登记了相关事项,请重试"


class KeyReused(Refusal):
    """The idempotency key was used before, for another request."""

    code = "key-reused"
    category = "conflict"
    zh = "幂等键已用于另一请求"


class ClockBehind(Refusal):
    """The server's clock is behind the last entry; nothing is entered until it is right."""

    code = "clock-behind"
    category = "unavailable"
    zh = "服务器时钟落后于最后一条登记"


class BackupOverdue(Refusal):
    """The newest backup of the vault is too old; back it up before private data are entered."""

    code = "backup-overdue"
    category = "unavailable"
    zh = "密钥库备份已超过期限,须先备份(vault backup)再登记个人信息"


class BeyondHead(Refusal):
    """The question asks about a position or an instant the ledger has not reached."""

    code = "beyond-head"
    category = "incorrect"
    zh = "所问的登记时点尚未到来"
