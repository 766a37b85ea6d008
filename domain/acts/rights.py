"""Who may do what 权限: roles granted to accounts, and keys for small systems.

Owns the entries that give and take rights. Invariant: no secret is in an entry, only its hash; an
auxiliary in service is never an approver; an account is the subject of one person at most.
"""

from hashlib import sha256
from typing import Annotated, Literal

from pydantic import Field

from domain.acts.people import in_service, require_person
from domain.acts.units import require_unit
from domain.case import Case
from domain.events import Code, Event, Facet, Id, PersonId, Subject, UnitId, Writes
from domain.refusals import AlreadyRecorded, BadInput, MissingField

ROLE = Facet("role", of="account", zh="账号角色", en="account's role", many=True, stays=True)
API_KEY = Facet("api-key", of="key", zh="接口密钥", en="API key", stays=True, ever=True)

Role = Literal["clerk", "approver", "inspector", "auditor", "system", "administrator", "subject"]
PrivateClass = Literal["identity", "health", "finance", "political", "complainant", "family"]
AccountId = Annotated[Id, Subject("account")]
KeyId = Annotated[Id, Subject("key")]


def account_of(issuer: str, subject: str) -> str:
    """The id of the account that an issuer knows under a subject: 32 hexadecimal digits."""
    return sha256(f"{len(issuer)}|{issuer}|{subject}".encode()).hexdigest()[:32]


def require_account(account: str, issuer: str, subject: str) -> None:
    if account != account_of(issuer, subject):
        raise BadInput("the account is not that of issuer and subject", field="account",
                       zh="账号标识与签发者、主体不符")  # fmt: skip


class RoleGranted(Event):
    """An account may act in a role (授予权限): in a unit and what is below it, or the whole bureau.

    `classes`: the private fields it may read. `attest`: whether it may vouch that something
    happened. `person`: whose account it is; an approver's must be known. A `subject` sees that
    person's own record and who has read it, and nothing else.
    """

    zh = "授予权限"
    en = "Role granted"
    day = "权限生效之日"
    writes = (
        Writes(
            ROLE, key="account",
            value=("issuer", "subject", "role", "unit", "classes", "attest", "person"),
        ),
    )  # fmt: skip

    account: AccountId
    issuer: Code
    subject: Code
    role: Role
    unit: UnitId | None = None
    classes: list[PrivateClass] = Field(default_factory=list)
    attest: bool = False
    person: PersonId | None = None

    def decide(self, case: Case) -> None:
        require_account(self.account, self.issuer, self.subject)
        if self.unit is not None:
            require_unit(case, self.unit)
        if self.person is not None:
            require_person(case, self.person)
        if self.role == "approver":
            if self.person is None:
                raise MissingField("an approver is a person of the record", field="person",
                                   zh="批准人账号须指明所属人员")  # fmt: skip
            if in_service(case, self.person):
                case.forbid("在职辅警的账号不得担任批准人",
                            "an auxiliary in service is never an approver", "person")  # fmt: skip
        if self.role == "subject":
            self._require_own(case)
        said = self.model_dump(mode="json", exclude={"account"}, exclude_none=True)
        if any(fact.value == said for fact in case.every(ROLE, self.account)):
            raise AlreadyRecorded("the account has this right", zh="该账号已有此权限")

    def _require_own(self, case: Case) -> None:
        """Whose record it is, and that it is nobody else's too."""
        if self.person is None:
            raise MissingField("whose own record it is", field="person",
                               zh="本人账号须指明所属人员")  # fmt: skip
        if self.unit is not None:
            raise BadInput("one's own record lies in no unit", field="unit",
                           zh="本人查阅权限不限单位")  # fmt: skip
        others = {f.value["person"] for f in case.every(ROLE, self.account)
                  if f.value["role"] == "subject"} - {self.person}  # fmt: skip
        if others:
            case.forbid("该账号已属另一人员", "the account is another person's", "person")


class RoleWithdrawn(Event):
    """A right of an account ends (收回权限); which one, `ends` says where it has several."""

    zh = "收回权限"
    en = "Role withdrawn"
    day = "收回之日:自该日起无此权限"
    ends = (ROLE,)

    account: AccountId

    def decide(self, case: Case) -> None:
        case.end(ROLE, self.account)


class ApiKeyIssued(Event):
    """A key lets a small system act for an account (签发接口密钥), until a day that is stated.

    `hash`: SHA-256 of the secret, 256 random bits that were shown once.
    """

    zh = "签发接口密钥"
    en = "API key issued"
    day = "密钥生效之日"
    writes = (Writes(API_KEY, key="key", value=("account", "issuer", "subject", "hash")),)

    key: KeyId
    account: AccountId
    issuer: Code
    subject: Code
    hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

    def decide(self, case: Case) -> None:
        require_account(self.account, self.issuer, self.subject)
        if case.until is None:
            raise MissingField("a key expires", field="until", zh="密钥须有到期日")
        if case.ever(API_KEY, self.key):
            raise AlreadyRecorded("this key was issued before", zh="该密钥标识已用过", field="key")


class ApiKeyRevoked(Event):
    """A key opens nothing any more (吊销接口密钥)."""

    zh = "吊销接口密钥"
    en = "API key revoked"
    day = "吊销之日"
    ends = (API_KEY,)

    key: KeyId

    def decide(self, case: Case) -> None:
        case.end(API_KEY, self.key)
