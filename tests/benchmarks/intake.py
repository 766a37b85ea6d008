"""What checking a roster costs: 20,000 rows of 20 columns, on an empty ledger and on a full one.

`python -m tests.benchmarks.intake [--rows N]`. Each check runs in a process of its own, for the
peak of its memory, and so does the reading of its sheet alone; absolute figures are of the machine at hand.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import xlsxwriter

from api.intake import Importer, Mapping, load_mapping
from api.intake.reading import read
from api.settings import Bureau, Settings

HEADINGS = (
    "序号", "姓名", "辅警编号", "性别", "出生年月日", "身份证号码", "所在单位", "人员类别", "入职时间",
    "现层级", "合同期限至", "用工形式", "带辅民警警号", "备注",
)  # fmt: skip
MORE = ("民族", "政治面貌", "籍贯", "学历", "联系电话", "住址")
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
UNITS = ("城西派出所", "城东派出所", "特巡警大队", "指挥中心")


def rows(count: int) -> Iterator[list[str]]:
    """Rows without a fault, each with an ID number of its own."""
    for n in range(count):
        born = date(1970, 1, 1) + timedelta(days=n % 9_000)
        digits = f"320500{born:%Y%m%d}{n // 9_000 * 2 + 1:03d}"
        check = "10X98765432"[sum(int(d) * w for d, w in zip(digits, WEIGHTS, strict=True)) % 11]
        yield [
            str(n + 1), f"人员{n}", f"FJ{n:06d}", "男", born.isoformat(), digits + check,
            UNITS[n % 4], "勤务", "2015-03-01", "二级辅员", "2030-12-31", "劳动合同", "", "",
            *["甲乙丙丁戊己"] * len(MORE),
        ]  # fmt: skip


def write(path: Path, count: int) -> None:
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        sheet = book.add_worksheet("在职辅警")
        for n, row in enumerate([[*HEADINGS, *MORE], *rows(count)]):
            sheet.write_row(n, 0, row)


def mapping() -> Mapping:
    """The city's mapping, the further columns set aside."""
    packaged = load_mapping("roster-city")
    (sheet,) = packaged.sheet
    unused = sheet.unused | dict.fromkeys(MORE, "no content of a record")
    wide = sheet.model_copy(update={"unused": unused})
    return packaged.model_copy(update={"sheet": [wide]})


def reference() -> float:
    """Seconds of a fixed piece of work: what a busy machine makes of a second."""
    started = time.perf_counter()
    for n in range(400_000):
        sha256(n.to_bytes(8, "big")).digest()
    return time.perf_counter() - started


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def hold(settings: Settings, path: Path, most: Any) -> None:
    """The memory that the sheet alone takes, held whole."""
    with Bureau(settings) as bureau:
        for _ in bureau.runner.catch_up():
            pass
        Importer(bureau.ledger, bureau.records).known_units()
        rows = deque(read(path, mapping().sheet[0].headings).rows)
        assert rows
        most.value = peak()


def check(
    settings: Settings, path: Path, dated: date, label: str, sheet: int, *, enter: bool
) -> None:
    """Check the roster, as `import` does without `--enter`; then enter it if told."""
    with Bureau(settings) as bureau:
        for _ in bureau.runner.catch_up():
            pass
        importer = Importer(bureau.ledger, bureau.records)
        unit = reference()
        started, worked = time.perf_counter(), time.process_time()
        plan = importer.plan([path], mapping(), dated)
        seconds, work = time.perf_counter() - started, time.process_time() - worked
        (count,) = plan.counts()
        print(
            f"{label}: {count.rows:,} rows checked in {seconds:.1f} s, {seconds / unit:.1f} times the "
            f"reference, {work:.1f} s of this process's own; peak {peak()} MiB, {peak() - sheet} "
            f"beyond its sheet; {count.acts:,} acts, {count.unchanged:,} unchanged, {count.rejected:,} rejected"
        )
        if enter:
            report = importer.enter(plan)
            rate = report.events.total() / report.seconds
            print(f"{report.events.total():,} entries entered, {rate:,.0f}/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    wanted = parser.parse_args().rows
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="bench-intake-") as folder:
        Path(folder).chmod(0o755)
        settings = Settings(Path(folder) / "ledger")
        small, large, huge = (Path(folder) / f"{n}.xlsx" for n in ("small", "large", "huge"))
        write(small, wanted // 4)
        write(large, wanted)
        write(huge, wanted * 3)
        steps = [
            (small, date(2023, 8, 1), "a quarter of them, empty ledger", False),
            (huge, date(2023, 8, 1), "three times as many, empty ledger", False),
            (large, date(2023, 8, 1), "empty ledger", True),
            (large, date(2023, 9, 1), "against the ledger that holds them", False),
        ]
        with Bureau(settings):  # its server runs through all steps
            for path, dated, label, enter in steps:
                sheet = context.Value("q")
                alone = context.Process(target=hold, args=(settings, path, sheet))
                alone.start()
                alone.join()
                one = context.Process(
                    target=check,
                    args=(settings, path, dated, label, sheet.value),
                    kwargs={"enter": enter},
                )
                one.start()
                one.join()


if __name__ == "__main__":
    main()
