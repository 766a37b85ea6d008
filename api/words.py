"""The words of the command line: what fields, codes and states are called.

Owns the labels that no declaration carries. Invariant: a code is given its pack's words only where
every packaged pack calls it the same; a word that is missing shows the code itself.
"""

from collections.abc import Iterable
from functools import cache

Words = tuple[str, str]
"""Chinese, English."""

NOT_RECORDED = ("未登记", "not recorded")
NONE = ("无", "none")
ENDED = ("已终止", "ended")
ERASED = ("已销毁", "erased")
RESTRICTED = ("限制处理", "restricted")
WITHHELD = ("未予显示", "withheld")
CLOSED = {"erased", "restricted", "withheld"}
"""The one property of a private value that cannot be read."""
YES = ("是", "yes")
NO = ("否", "no")

NAMES: dict[str, Words] = {
    "person": ("人员", "person"),
    "officer": ("民警", "officer"),
    "unit": ("单位", "unit"),
    "host": ("借调单位", "host unit"),
    "name": ("姓名", "name"),
    "number": ("编号", "number"),
    "grade": ("层级", "grade"),
    "ladder": ("层级序列", "ladder"),
    "post": ("岗位", "post"),
    "category": ("类别", "category"),
    "state": ("状态", "state"),
    "form": ("用工形式", "form"),
    "agency": ("派遣机构", "agency"),
    "kind": ("种类", "kind"),
    "sex": ("性别", "sex"),
    "birth_date": ("出生日期", "birth date"),
    "id_number": ("身份证号", "ID number"),
    "ethnic_group": ("民族", "ethnic group"),
    "education": ("学历", "education"),
    "phone": ("电话", "phone"),
    "since": ("自", "since"),
    "until": ("止", "until"),
    "last_day": ("末日", "last day"),
    "parent": ("上级", "parent"),
    "ground": ("事由", "ground"),
    "amount": ("金额", "amount"),
    "title": ("职务", "title"),
    "seat": ("席位", "seat"),
    "short_name": ("简称", "short name"),
    "division": ("行政区划", "division"),
    "head_seats": ("席位", "head seats"),
    "into": ("并入", "into"),
    "kept": ("保留的人员", "kept"),
    "merged": ("归并的人员", "merged"),
    "decision_number": ("决定文号", "decision"),
    "employer": ("用人主体", "employer"),
    "term": ("期限", "term"),
    "plan": ("招聘计划", "plan"),
    "injury": ("伤情", "injury"),
    "persons": ("人员", "persons"),
    "units": ("单位", "units"),
    "posts": ("岗位", "posts"),
    "reason": ("理由", "reason"),
    "cause": ("原因", "cause"),
    "probation_last_day": ("试用期止", "probation's last day"),
    "signed_on": ("签订日", "signed on"),
    "clauses": ("条款", "clauses"),
    "nth": ("第几次", "nth"),
    "approved_by": ("批准机关", "approved by"),
    "police_number": ("警号", "police number"),
    "conferred_by": ("授予机关", "conferred by"),
    "title_year": ("年度", "year"),
    "level": ("等次", "level"),
    "deed": ("事迹", "deed"),
    "family": ("岗位类别", "job family"),
    "danger_level": ("危险等级", "danger level"),
    "conduct": ("行为", "conduct"),
    "decided_by": ("决定机关", "decided by"),
    "notified_on": ("告知日", "notified on"),
    "heard_on": ("听取陈述日", "heard on"),
    "basis": ("依据", "basis"),
    "assessment": ("考核", "assessment"),
    "place": ("地点", "place"),
    "outcome": ("结论", "outcome"),
    "accepted_on": ("受理日", "accepted on"),
    "applied_on": ("申请日", "applied on"),
    "disability_grade": ("伤残等级", "disability grade"),
    "care_level": ("护理等级", "care level"),
    "hired_on": ("录用日", "hired on"),
    "unit_since": ("到岗日", "in the unit since"),
    "grade_since": ("定级日", "in the grade since"),
    "post_since": ("定岗日", "in the post since"),
    "number_since": ("编号启用日", "number since"),
    "first_day": ("首日", "first day"),
    "code": ("代码", "code"),
    "version": ("版本", "version"),
    "calendar": ("日历", "calendar"),
    "year": ("年份", "year"),
    "published_on": ("公布日", "published on"),
    "note": ("备注", "note"),
    "on_duty": ("因公", "on duty"),
    "institution": ("事业单位", "institution"),
    "filed_to": ("报备机关", "filed to"),
    "receipt_number": ("回执号", "receipt"),
    "notice_on": ("通知日", "notice on"),
    "incident": ("事件", "incident"),
    "assessed_on": ("考核日期", "assessed on"),
    "by": ("申请人", "by"),
    "ceases": ("不再存续的单位", "unit that ceases"),
    "changed": ("变更内容", "changed"),
    "counted_from": ("任职年限起算日", "counted from"),
    "digest": ("摘要", "digest"),
    "paid_in_lieu": ("已付代通知金", "paid in lieu of notice"),
    "protection_checked": ("已核无不得解除情形", "protection checked"),
    "reason_told_on": ("说明理由日期", "reason told on"),
    "text": ("正文", "text"),
    "trained_on": ("培训合格", "trained on"),
    "union_told_on": ("通知工会日期", "union told on"),
    "account": ("账户", "account"),
    "amended": ("经变更", "amended"),
    "annulled": ("所撤销的登记", "annulled"),
    "approval": ("批准", "approval"),
    "attest": ("可佐证", "may attest"),
    "authority": ("作出机关", "authority"),
    "batch": ("批次", "batch"),
    "classes": ("信息类别", "classes"),
    "digests": ("文件摘要", "digests"),
    "entries": ("登记数", "entries"),
    "files": ("文件", "files"),
    "hash": ("密钥摘要", "hash"),
    "holder": ("保管人", "holder"),
    "holders": ("保管人", "holders"),
    "issuer": ("签发方", "issuer"),
    "key": ("密钥", "key"),
    "ledger": ("账本", "ledger"),
    "mapping": ("对应表", "mapping"),
    "opened": ("建账而来", "opened"),
    "organ": ("机关", "organ"),
    "position": ("位置", "position"),
    "previous": ("前一密钥", "previous"),
    "public_key": ("公钥", "public key"),
    "rejected": ("退回行数", "rejected"),
    "review": ("复核", "review"),
    "role": ("角色", "role"),
    "subject": ("主体", "subject"),
    "because": ("原因", "because"),
    "case": ("案件", "case"),
    "channel": ("来源渠道", "channel"),
    "complainant": ("投诉人", "complainant"),
    "contact": ("联系方式", "contact"),
    "content": ("投诉内容", "content"),
    "findings": ("查明事实", "findings"),
    "grounds": ("立案理由", "grounds"),
    "means": ("告知方式", "means"),
    "petition_on": ("信访收到日", "petition received on"),
    "result": ("结案方式", "result"),
    "taken_up_on": ("受理日", "taken up on"),
}
ENVELOPE: dict[str, Words] = {
    "event_id": ("登记号", "entry id"),
    "effective": ("生效日", "effective"),
    "last_day": ("末日", "last day"),
    "occurred": ("发生日", "occurred"),
    "recorded_at": ("登记时间", "recorded"),
    "lag_days": ("迟录天数", "days late"),
    "mood": ("性质", "mood"),
    "attested_by": ("佐证人", "attested by"),
    "approved_by": ("批准人", "approved by"),
    "actor": ("经办", "entered by"),
    "document": ("文件", "document"),
    "reason": ("理由", "reason"),
    "source": ("来源", "source"),
    "batch": ("批次", "batch"),
    "ends": ("所终止的登记", "ends"),
    "fields": ("内容", "content"),
    "chain": ("同一事实的登记", "entries of this fact"),
}
"""What is said of an entry beside its own fields."""
ASIDE: dict[str, dict[str, Words]] = {
    "document": {
        "number": ("文号", "number"),
        "none_because": ("无文号,因", "none, because"),
        "issuer": ("发文机关", "issuer"),
        "dated": ("成文日期", "dated"),
        "article": ("条款", "article"),
        "sha256": ("SHA-256", "SHA-256"),
    },
    "source": {
        "system": ("系统", "system"),
        "key": ("标识", "key"),
        "version": ("版本", "version"),
    },
}
"""What the parts of these are called, which are called otherwise elsewhere."""
VALUES: dict[str, Words] = {
    "civilian": ("文职", "civilian"),
    "field": ("勤务", "field"),
    "in": ("在职", "in service"),
    "left": ("离职", "left"),
    "active": ("存续", "active"),
    "dissolved": ("已撤销", "dissolved"),
    "merged": ("已合并", "merged"),
    "split": ("已拆分", "split"),
    "direct": ("直接聘用", "direct"),
    "dispatched": ("劳务派遣", "dispatched"),
    "ordered": ("决定", "ordered"),
    "attested": ("佐证", "attested"),
    "retired": ("退休", "retired"),
    "resigned": ("辞职", "resigned"),
    "terminated": ("解除", "terminated"),
    "expired": ("终止", "expired"),
    "died": ("死亡", "died"),
    "in-force": ("施行", "in force"),
    "reported": ("据报道", "reported"),
    "draft": ("草案", "draft"),
    "station": ("派出所", "station"),
    "department": ("部门", "department"),
    "bureau": ("公安局", "bureau"),
    "block": ("禁止", "block"),
    "warn": ("提示", "warn"),
    "due": ("期限", "due"),
    "report": ("备查", "report"),
}
CODES: dict[tuple[str, str], Words] = {
    ("capacity", "head"): ("主要领导", "unit head"),
    ("capacity", "deputy"): ("分管领导", "deputy head"),
    ("capacity", "supervisor"): ("带辅责任民警", "supervising officer"),
    ("how", "changed"): ("变更", "changed"),
    ("how", "came"): ("增加", "came"),
    ("how", "went"): ("减少", "went"),
    ("key", "total"): ("合计", "in all"),
    ("key", "not-recorded"): NOT_RECORDED,
    ("key", "head"): ("主要领导", "unit head"),
    ("key", "deputy"): ("分管领导", "deputy head"),
    ("key", "supervisor"): ("带辅责任民警", "supervising officer"),
    ("key", "acting-head"): ("仅有代理主要领导", "acting head alone"),
    ("key", "acting-deputy"): ("仅有代理分管领导", "acting deputy alone"),
    ("key", "seats"): ("有记载的席位", "seats recorded"),
    ("key", "persons"): ("涉及人数", "persons"),
    ("known", "now"): ("现在认定", "as known now"),
    ("known", "then"): ("当时登记", "as recorded then"),
    ("of", "headcount"): ("在职人数", "in service"),
    ("of", "pyramid"): ("在职人数(按层级)", "in service, by grade"),
    ("of", "vacancies"): ("空缺席位", "vacant seats"),
    ("of", "gaps"): ("无人负责的辅警", "auxiliaries with nobody answering"),
    ("part", "root"): ("首次登记", "first entry"),
    ("part", "content"): ("给出内容", "gives the content"),
    ("part", "ending"): ("使其终止", "ends it"),
    ("part", "lapse"): ("使其失效", "makes it lapse"),
    ("part", "bearing"): ("无之则另有答案", "without it another answers"),
    ("batch", "entered"): ("已登记", "entered"),
    ("batch", "broken-off"): ("未完成", "broken off"),
    ("batch", "undone"): ("已撤销", "undone"),
    ("difference", "undecidable"): ("内容已销毁,无法判断", "undecidable: erased"),
    ("difference", "refused-arises"): ("将不予登记", "would be refused"),
    ("difference", "refused-ceases"): ("不再不予登记", "no longer refused"),
    ("difference", "found-arises"): ("将成为问题", "would be found"),
    ("difference", "found-ceases"): ("不再是问题", "no longer found"),
    ("due", "overdue"): ("逾期未办", "overdue"),
    ("due", "open"): ("未到期", "open"),
    ("due", "late"): ("逾期办结", "late"),
    ("due", "kept"): ("按期办结", "kept"),
    ("due", "lapsed"): ("不再需要", "lapsed"),
    ("entry-part", "envelope"): ("登记", "entry"),
    ("entry-part", "fields"): ("内容", "content"),
    ("entry-part", "cell"): ("原表单元格", "cell it was read from"),
    ("entry-part", "review"): ("复核", "review"),
    ("entry-part", "finding"): ("问题", "finding"),
    ("entry-part", "sealed"): ("属未公开的案件", "of a sealed case"),
    ("read", "allowed"): ("已答复", "answered"),
    ("read", "denied"): ("拒绝", "denied"),
    ("read", "cut"): ("至此已到期销毁", "gone up to here"),
    ("standing", "stands"): ("有效", "stands"),
    ("standing", "superseded"): ("被更正", "superseded"),
    ("standing", "annulled"): ("已撤销", "annulled"),
    ("strand", "held"): ("有", "held"),
    ("strand", "none"): NONE,
    ("strand", "not-recorded"): NOT_RECORDED,
    ("strand", "ended"): ENDED,
    ("strand", "lapsed"): ("已失效", "lapsed"),
    ("strand", "open"): ("待复核", "open"),
    ("strand", "concluded"): ("已有结论", "concluded"),
    ("status", "held"): ("在任", "held"),
    ("status", "acting"): ("代理", "acting"),
    ("status", "vacant"): ("空缺", "vacant"),
    ("status", "not-recorded"): NOT_RECORDED,
    ("status", "outgoing"): ("自当日起不再负责", "no longer from that day"),
    ("state", "in-post"): ("在岗", "in post"),
    ("state", "held"): ("有", "held"),
    ("state", "none"): NONE,
    ("state", "not-recorded"): NOT_RECORDED,
    ("service", "in"): ("在职", "in service"),
    ("service", "out"): ("不在职", "not in service"),
    ("service", "not-recorded"): NOT_RECORDED,
    ("state", "agreed"): ("已约定", "agreed"),
    ("state", "passed"): ("合格", "passed"),
    ("state", "failed"): ("不合格", "failed"),
    ("state", "suspended"): ("停职", "suspended"),
    ("state", "on-leave"): ("离岗", "on leave"),
    ("state", "open"): ("未结", "open"),
    ("state", "concluded"): ("已有结论", "concluded"),
    ("before", "ended"): ENDED,
    ("before", "not-recorded"): NOT_RECORDED,
    ("after", "ended"): ENDED,
    ("after", "not-recorded"): NOT_RECORDED,
    ("classes", "complainant"): ("投诉人信息", "complainant"),
    ("classes", "family"): ("家庭", "family"),
    ("classes", "finance"): ("财务", "finance"),
    ("classes", "health"): ("健康", "health"),
    ("classes", "identity"): ("身份", "identity"),
    ("classes", "political"): ("政治", "political"),
    ("role", "administrator"): ("管理员", "administrator"),
    ("role", "approver"): ("批准人", "approver"),
    ("role", "auditor"): ("审计", "auditor"),
    ("role", "clerk"): ("经办", "clerk"),
    ("role", "inspector"): ("纪检督察", "inspector"),
    ("role", "system"): ("业务系统", "system"),
    ("role", "subject"): ("本人", "the person"),
    ("role", "key"): ("接口密钥", "API key"),
    ("sex", "0"): ("未知", "unknown"),
    ("sex", "1"): ("男", "male"),
    ("sex", "2"): ("女", "female"),
    ("sex", "9"): ("未说明", "not stated"),
    ("basis", "education"): ("学历", "education"),
    ("basis", "service"): ("服务年限", "service"),
    ("basis", "other"): ("其他", "other"),
    ("by", "employer"): ("用人单位", "employer"),
    ("by", "worker"): ("本人", "worker"),
    ("by", "kin"): ("近亲属", "kin"),
    ("by", "union"): ("工会", "union"),
    ("changed", "conditions"): ("劳动条件", "conditions"),
    ("changed", "duties"): ("工作内容", "duties"),
    ("changed", "other"): ("其他", "other"),
    ("changed", "pay"): ("劳动报酬", "pay"),
    ("changed", "place"): ("工作地点", "place"),
    ("changed", "post"): ("岗位", "post"),
    ("changed", "term"): ("期限", "term"),
    ("clauses", "term"): ("合同期限", "term"),
    ("clauses", "responsibilities"): ("岗位职责", "responsibilities"),
    ("clauses", "working-conditions"): ("劳动条件", "working conditions"),
    ("clauses", "pay"): ("劳动报酬", "pay"),
    ("clauses", "welfare"): ("福利待遇", "welfare"),
    ("clauses", "insurance"): ("社会保险", "insurance"),
    ("clauses", "rights-and-duties"): ("权利义务", "rights and duties"),
    ("clauses", "ending"): ("解除和终止", "ending"),
    ("clauses", "breach"): ("违约责任", "breach"),
    ("danger_level", "high"): ("高危", "high"),
    ("danger_level", "ordinary"): ("一般", "ordinary"),
    ("ground", "assessment"): ("考核结果", "assessment"),
    ("ground", "sanction"): ("处理决定", "sanction"),
    ("kind", "accident"): ("事故伤害", "accident"),
    ("kind", "disease"): ("职业病", "disease"),
    ("kind", "legal"): ("依法保全", "legal hold"),
    ("kind", "retention"): ("按期留存", "retention"),
    ("kind", "recruited"): ("被招录招聘", "recruited"),
    ("kind", "returned"): ("退回派遣机构", "returned to the agency"),
    ("kind", "agency"): ("劳务派遣机构", "agency"),
    ("kind", "assessment"): ("考核晋升", "by assessment"),
    ("kind", "selection"): ("择优晋升", "by selection"),
    ("kind", "natural"): ("自然晋升", "by years"),
    ("because", "anonymous"): ("匿名", "anonymous"),
    ("because", "unreachable"): ("无法联系", "unreachable"),
    ("case-state", "closed"): ("已结案", "closed"),
    ("case-state", "disclosed"): ("已公开", "disclosed"),
    ("case-state", "sealed"): ("保密", "sealed"),
    ("outcome", "partly-upheld"): ("部分属实", "upheld in part"),
    ("outcome", "unfounded"): ("不属实", "unfounded"),
    ("outcome", "upheld"): ("属实", "upheld"),
    ("result", "concluded"): ("办结", "concluded"),
    ("result", "transferred"): ("移送", "transferred"),
    ("result", "withdrawn"): ("撤回", "withdrawn"),
    ("state", "accepted"): ("已受理", "accepted"),
    ("state", "not-told"): ("无法告知", "not told"),
    ("state", "rejected"): ("不予受理", "rejected"),
    ("state", "told"): ("已告知", "told"),
    ("state", "transferred"): ("已转送", "transferred"),
    ("outcome", "deemed"): ("视同工伤", "deemed"),
    ("outcome", "recognised"): ("认定工伤", "recognised"),
    ("outcome", "pending"): ("待认定", "pending"),
    ("outcome", "confirmed"): ("维持", "confirmed"),
    ("outcome", "amended"): ("更正", "amended"),
    ("outcome", "annulled"): ("撤销", "annulled"),
    ("outcome", "refused"): ("不予认定", "refused"),
    ("term", "fixed"): ("固定期限", "fixed"),
    ("term", "open-ended"): ("无固定期限", "open-ended"),
    ("term", "task"): ("以完成任务为期限", "task"),
}
"""Codes that mean something only in their field."""

_LISTED = {
    "sanction-kinds": "kind",
    "reward-kinds": "kind",
    "exit-grounds": "ground",
    "return-grounds": "ground",
    "job-families": "family",
}
"""The field in which a closed list's codes stand."""


@cache
def codes_of_packs() -> dict[tuple[str, str], Words]:
    """(field, code) → words, from the packaged ladders and closed lists; why a seat is empty."""
    from domain.law import load_packs  # noqa: PLC0415 - only some answers need it
    from projections.accountability import CAUSES  # noqa: PLC0415 - likewise

    found: dict[tuple[str, str], set[Words]] = {}
    for cause, label in CAUSES.items():
        found["cause", cause] = {(label.zh, label.en)}
    for pack in load_packs().values():
        for ladder in pack.ladders:
            for grade in ladder.grades:
                found.setdefault(("grade", grade.code), set()).add((grade.zh, grade.en))
        for listed in pack.lists:
            if (field := _LISTED.get(listed.id)) is not None:
                for member in listed.members:
                    found.setdefault((field, member.code), set()).add((member.zh, member.en))
    return {code: next(iter(words)) for code, words in found.items() if len(words) == 1}


def words_of_list(list_id: str) -> dict[str, str]:
    """Word → code of a closed list of the packaged packs; a word of several codes is left out."""
    from domain.law import load_packs  # noqa: PLC0415 - only some answers need it

    return _unambiguous(
        (member.zh, member.code)
        for pack in load_packs().values()
        for listed in pack.lists
        if listed.id == list_id
        for member in listed.members
    )


def words_of_ladders() -> dict[str, str]:
    """Word → code of every grade of the packaged ladders; a word of several codes is left out."""
    from domain.law import load_packs  # noqa: PLC0415 - only some answers need it

    return _unambiguous(
        (grade.zh, grade.code)
        for pack in load_packs().values()
        for ladder in pack.ladders
        for grade in ladder.grades
    )


def _unambiguous(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for word, code in pairs:
        found.setdefault(word, set()).add(code)
    return {word: next(iter(codes)) for word, codes in found.items() if len(codes) == 1}
