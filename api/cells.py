"""What the cells of a sheet said, beside the entry that was made of them.

Owns their shape in an answer. Invariant: a cell is given to the letter, or as withheld, erased or
restricted like the field it went into.
"""

from typing import Any

from api.settings import Bureau
from domain.acts.imports import RowRead, SheetRead
from domain.events import Entry
from projections.journal import entered_with

_SEALED = tuple(RowRead.private)


def of(bureau: Bureau, entry: Entry, until: int) -> dict[str, Any] | None:
    """The row that an entry was made of, as known at a position, its private cells still sealed;
    None where it was not imported, or by a version that did not keep the cells.
    """
    if "source" not in entry.envelope:
        return None
    together = entered_with(bureau.ledger, entry, until)
    row = next((one for one in together if one.type == RowRead.__name__), None)
    if row is None:
        return None
    batch = row.envelope["request_id"]
    (sheet,) = (
        one
        for one in bureau.ledger.entries([f"import:{batch}"], [SheetRead.__name__], until=until)
        if one.fields["place"] == row.fields["sheet"]
    )
    (begun,) = bureau.ledger.entries([f"import:{batch}"], ["ImportBegun"], until=until)
    place = sheet.fields["place"]
    return {
        "entry": row.position,
        "file": begun.fields["files"][place],
        "sha256": begun.fields["digests"][place],
        "mapping": begun.fields["mapping"],
        "version": begun.fields["version"],
        "sheet": sheet.fields["sheet"] or None,
        "row": row.fields["row"],
        "taken": row.fields.get("taken") or {},
        "columns": sheet.fields["columns"],
        "cells": {
            name: row.fields[name] for name in ("cells", *_SEALED) if row.fields.get(name)
        },
    }  # fmt: skip


def laid_out(read: dict[str, Any] | None, type_: str) -> dict[str, Any] | None:
    """The row with its private values open, cell by cell: those that went into an act of this type,
    all of them where none did.
    """
    if read is None:
        return None
    columns, opened, taken = read.pop("columns"), read.pop("cells"), read.pop("taken")
    texts: dict[str, str] = {}
    shut = []
    for name, said in opened.items():
        if name != "cells" and said.keys() <= {"withheld", "erased", "restricted"}:
            shut.append({"cell": None, "heading": None, "into": [], "class": name, "text": said})
        else:
            texts |= said
    into: dict[tuple[str, str], list[str]] = {}
    for column in columns:  # a heading may be the place of several columns of the mapping
        into.setdefault((column["column"], column["heading"]), []).extend(column["into"])
    cells = [
        {
            "cell": taken.get(at, f"{at}{read['row']}"),
            "heading": heading,
            "into": fields,
            "text": texts[at],
        }
        for (at, heading), fields in into.items()
        if at in texts
    ]
    own = [c for c in cells if any(field.startswith(f"{type_}.") for field in c["into"])]
    return {**read, "cells": (own or cells) + shut}
