"""Stored bytes are final: what is declared, what is written, and how old bytes are read."""

import hashlib
import itertools
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from domain import acts
from domain.acts.discipline import SanctionImposed
from domain.acts.identity import PersonsMerged
from domain.acts.people import PersonRegistered
from domain.acts.rewards import RewardGranted, RewardRevoked
from domain.acts.units import UnitEstablished
from domain.events import (
    FACETS,
    REGISTRY,
    Actor,
    Code,
    Document,
    Entry,
    Event,
    Facet,
    FactAnnulled,
    PersonId,
    Proposal,
    Source,
    Writes,
    encode,
    fact_specs,
)
from domain.ledger.sealed import Owner, is_sealed
from domain.ledger.vault import Vault

acts.load()

GOLDEN = Path(__file__).parents[1] / "golden" / "entries"
STAMP = datetime(2026, 3, 2, 1, 2, 3, tzinfo=UTC)
KEK = bytes(range(32))

ORDERED = {
    "mood": "ordered",
    "actor": Actor(issuer="bureau", subject="c-17", role="clerk").model_dump(),
    "premise": {"at": 41, "reads": ["person@person:p1"], "from": date(2024, 5, 6),
                "to": date(2024, 5, 6), "law": []},
}  # fmt: skip
ATTESTED = {
    "mood": "attested",
    "actor": Actor(issuer="bureau", subject="c-17", role="inspector").model_dump(),
    "attested_by": "政治处",
    "standing": "u1/clerk",
    "request_id": "r-9",
    "batch": str(UUID(int=3)),
    "document": Document(
        number="甬公通〔2024〕1号", issuer="某局", dated=date(2024, 5, 1), article="第七条",
        sha256="a" * 64,
    ).model_dump(mode="json", exclude_none=True),
}  # fmt: skip

SAMPLES = {
    "unit_established": (
        Proposal(
            UnitEstablished(unit="u1", name="某派出所", kind="station", parent="b1",
                            division="330200", head_seats=["所长", "教导员"]),
            date(2020, 1, 1),
        ), None, ORDERED,
    ),
    "person_registered": (
        Proposal(
            PersonRegistered(person="p1", name="张三", sex="1", birth_date=date(1990, 1, 1),
                             id_number="11010519491231002X", ethnic_group="01", phone="1"),
            date(2024, 5, 6), source=Source(system="roster-2023", key="row 7"),
        ), None, ORDERED,
    ),
    "reward_granted": (
        Proposal(
            RewardGranted(person="p1", kind="merit", title_year=2024, incident="A-1",
                          deed="救人\n两名"),
            date(2024, 5, 6), seq=-2, occurred=date(2024, 4, 30), cause=UUID(int=8),
        ), None, ATTESTED,
    ),
    "reward_granted_corrected": (
        Proposal(
            RewardGranted(person="p1", kind="commendation"), date(2024, 5, 7),
            supersedes=UUID(int=1), reason="录入错误",
        ), UUID(int=1), ORDERED,
    ),
    "reward_revoked": (
        Proposal(RewardRevoked(person="p1"), date(2024, 9, 1), ends=UUID(int=1)), None, ORDERED,
    ),
    "sanction_imposed": (
        Proposal(
            SanctionImposed(person="p1", kind="warning", conduct="迟到"), date(2024, 5, 6),
            until=date(2024, 11, 6), seq=1,
        ), None, ORDERED,
    ),
    "persons_merged": (
        Proposal(PersonsMerged(kept="p1", merged="p2"), date(2024, 5, 6)), None, ORDERED,
    ),
    "fact_annulled": (
        Proposal(FactAnnulled(), date(2024, 5, 7), annuls=UUID(int=2)), UUID(int=1), ATTESTED,
    ),
}  # fmt: skip


def counted():
    """Randomness that is the same in every run: the SHA-256 of a count."""
    numbers = itertools.count()

    def draw(size):
        return hashlib.sha256(str(next(numbers)).encode()).digest()[:size]

    return draw


@pytest.fixture
def vault(database):
    opened = Vault(database, KEK, counted())
    opened.prepare([Owner("p1", "identity")])
    opened.prepare([Owner("p1", "political")])
    yield opened
    opened.close()


def stored(name, vault):
    proposal, root, shared = SAMPLES[name]
    return encode(proposal, UUID(int=1), root, shared, vault.seal)


def entry_of(proposal, data):
    event = proposal.event
    return Entry(1, STAMP, type(event).__name__, event.tags(), data)


def read_back(entry, vault):
    opened = {n: vault.open(n, v) if is_sealed(v) else v for n, v in entry.fields.items()}
    return entry.cls.model_validate(opened)


# bytes


def test_an_act_is_stored_as_the_very_bytes_it_always_was(vault):
    for name in SAMPLES:
        assert stored(name, vault) == (GOLDEN / f"{name}.json").read_bytes(), name


def test_every_golden_file_still_reads_as_the_act_it_was(vault):
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(SAMPLES)
    for name, (proposal, root, shared) in SAMPLES.items():
        entry = entry_of(proposal, (GOLDEN / f"{name}.json").read_bytes())
        assert read_back(entry, vault) == proposal.event
        assert entry.effective == proposal.effective
        assert entry.seq == (proposal.seq or 0)
        assert entry.corrects == (root is not None)
        assert entry.root == str(root or UUID(int=1))
        assert entry.ended == (str(proposal.ends) if proposal.ends else None)
        assert entry.mood == shared["mood"]


def test_every_merge_and_its_split_are_found_by_one_tag():
    proposal = SAMPLES["persons_merged"][0]
    assert proposal.event.tags() == ["merges:person", "person:p1", "person:p2"]


def test_no_private_value_lies_in_the_stored_bytes(vault):
    data = stored("person_registered", vault) + stored("reward_granted", vault)
    for planted in ("张三", "1990-01-01", "11010519491231002X", "救人"):
        assert planted.encode() not in data


def test_absent_values_are_left_out(vault):
    entry = entry_of(SAMPLES["reward_revoked"][0], stored("reward_revoked", vault))
    assert entry.fields == {"person": "p1"}
    assert not {"until", "seq", "occurred", "reason", "source", "root"} & entry.envelope.keys()


CODES = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    kind=CODES, incident=CODES | st.none(), deed=st.text(st.characters(codec="utf-8")),
    effective=st.dates(), seq=st.integers(-1000, 1000),
)  # fmt: skip
def test_what_is_encoded_reads_back(vault, kind, incident, deed, effective, seq):
    event = RewardGranted(person="p1", kind=kind, incident=incident, deed=deed.strip() or None)
    proposal = Proposal(event, effective, seq=seq)
    entry = entry_of(proposal, encode(proposal, UUID(int=1), None, ORDERED, vault.seal))
    assert read_back(entry, vault) == event
    assert (entry.effective, entry.seq) == (effective, seq)


# an older schema version


COURTESY = Facet("test-courtesy", of="person", zh="礼貌", en="courtesy", many=True)


def how_is_a_kind(fields):
    fields["kind"] = fields.pop("how")
    return fields


def place_is_unknown(fields):
    return {**fields, "place": "unknown"}


def declare_courtesy(version):
    if version == 1:

        class CourtesyShown(Event):
            """v1: one text."""

            zh, en, day = "礼貌", "Courtesy shown", "当日"
            writes = (Writes(COURTESY, key="person", value=("how",)),)
            person: PersonId
            how: Code
    else:

        class CourtesyShown(Event):
            """v2: the text became a kind and a place."""

            zh, en, day = "礼貌", "Courtesy shown", "当日"
            writes = (Writes(COURTESY, key="person", value=("kind", "place")),)
            schema_version = 3
            upcasts = MappingProxyType({1: how_is_a_kind, 2: place_is_unknown})
            person: PersonId
            kind: Code
            place: Code

    return CourtesyShown


@pytest.mark.usefixtures("declaring")
def test_bytes_of_an_older_version_read_lifted_with_their_tags_unchanged():
    old = Proposal(declare_courtesy(1)(person="p1", how="bow"), date(2024, 1, 1))
    data = encode(old, UUID(int=1), None, ORDERED, None)
    del REGISTRY["CourtesyShown"]
    new = declare_courtesy(2)
    entry = Entry(1, STAMP, "CourtesyShown", ["person:p1", "of:old"], data)
    assert entry.fields == {"person": "p1", "kind": "bow", "place": "unknown"}
    assert entry.cls.model_validate(entry.fields) == new(person="p1", kind="bow", place="unknown")
    [spec] = fact_specs(new, entry.fields)
    assert spec.value == {"kind": "bow", "place": "unknown"}
    assert entry.tags == ["person:p1", "of:old"]
    assert entry.data == data
    assert b'"version":1' in data
    written = encode(
        Proposal(new(person="p1", kind="nod", place="gate"), date(2024, 1, 1)),
        UUID(int=2), None, ORDERED, None,
    )  # fmt: skip
    assert b'"version":3' in written


# declarations


def test_an_unknown_field_is_refused():
    with pytest.raises(ValidationError, match="extra_forbidden"):
        RewardGranted(person="p1", kind="merit", colour="red")


def test_a_fault_in_a_field_does_not_repeat_what_was_sent():
    with pytest.raises(ValidationError) as refused:
        PersonRegistered(person="p1", id_number="110105194912310021", name="李四" * 99)
    assert "110105194912310021" not in str(refused.value)
    assert "李四" not in str(refused.value)


def test_an_act_is_tagged_with_every_subject_once_and_in_order():
    event = UnitEstablished(unit="u2", name="队", parent="u1")
    assert event.tags() == ["unit:u1", "unit:u2"]
    assert UnitEstablished(unit="u2", name="队").tags() == ["unit:u2"]


GRADE = Facet("test-grade", of="person", zh="层级", en="grade")
LABELS = {"zh": "一", "en": "One", "day": "当日"}


def declare(**attributes):
    fields = {"person": PersonId, "other": PersonId | None, "people": list[PersonId] | None}
    defaults = {"other": None, "people": None}
    return type("Tried", (Event,), {
        "__module__": __name__, "__annotations__": fields, **defaults, **LABELS, **attributes,
    })  # fmt: skip


@pytest.mark.usefixtures("declaring")
@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"day": None}, "declares no day"),
        ({"writes": (Writes(GRADE, key="nobody"),)}, "from unknown"),
        ({"writes": (Writes(GRADE, key="person", value=("grade",)),)}, "from unknown"),
        ({"writes": (Writes(GRADE, key="person", fixed={"a": 1}, none=True),)}, "no content"),
        ({"writes": (Writes(GRADE, key="person"), Writes(GRADE, key="other"))}, "filed under"),
        ({"writes": (Writes(GRADE, key="people"),)}, "filed under"),
        ({"schema_version": 2}, "lacks an upcaster"),
        ({"writes": (Writes(FACETS["grade"]._replace(zh="别的"), key="person"),)}, "twice"),
    ],
)
def test_a_wrong_declaration_is_refused_when_it_is_made(attributes, message):
    with pytest.raises(TypeError, match=message):
        declare(**attributes)


@pytest.mark.usefixtures("declaring")
def test_two_types_of_one_name_are_refused():
    declare()
    with pytest.raises(TypeError, match="declared twice"):
        declare()


def test_every_type_says_what_happened_in_both_languages_and_what_its_day_is():
    for name, cls in REGISTRY.items():
        assert cls.__doc__, name
        assert cls.__doc__ != Event.__doc__, name
        for text in (cls.zh, cls.day):
            assert any("一" <= c <= "鿿" for c in text), name
        assert cls.en.isascii(), name


def test_what_a_fact_is_filed_under_is_never_text_a_database_cannot_hold():
    for name, cls in REGISTRY.items():
        for w in cls.writes:
            for field in {w.key, w.slot, w.facet.ref} & cls.model_fields.keys():
                info = cls.model_fields[field]
                whole = TypeAdapter(_only(field, info))
                for bad in ({field: "a\0b"}, {field: ["a\0b"]}):
                    with pytest.raises(ValidationError):
                        assert whole.validate_python(bad) is None, f"{name}.{field} takes a NUL"


def _only(field, info):
    namespace = {"__annotations__": {field: info.rebuild_annotation()}, "__module__": __name__,
                 "model_config": ConfigDict(str_strip_whitespace=True)}  # fmt: skip
    return type("Only", (BaseModel,), namespace)
