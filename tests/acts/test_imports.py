from domain.acts.imports import IMPORT, ImportBegun, ImportFinished, ImportUndone
from domain.refusals import AlreadyRecorded, UnknownSubject
from tests.given import act, given

BEGUN = ImportBegun(batch="b1", mapping="m", version="1", files=["a.xlsx"], digests=["0" * 64])


def test_a_batch_stands_from_its_beginning_until_it_is_undone():
    story = given(act(BEGUN, "2022-01-04"), act(ImportFinished(batch="b1", entries=3, rejected=1)))

    assert story.value(IMPORT, "b1")["files"] == ["a.xlsx"]
    assert not story.when(act(ImportUndone(batch="b1", annulled=3))).value(IMPORT, "b1")


def test_a_batch_begins_once_and_is_undone_once():
    story = given(act(BEGUN))
    story.refused(act(BEGUN), AlreadyRecorded, field="batch")

    story.when(act(ImportUndone(batch="b1", annulled=3)))

    story.refused(act(ImportUndone(batch="b1", annulled=3)), UnknownSubject, field="batch")
    story.refused(act(BEGUN), AlreadyRecorded, field="batch")


def test_only_a_batch_that_began_is_finished():
    given().refused(
        act(ImportFinished(batch="b1", entries=0, rejected=0)), UnknownSubject, field="batch"
    )
