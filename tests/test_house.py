"""The house is tidy: what the plan says of every file is true of every file."""

import ast
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from domain import acts, refusals
from domain.events import FACETS, REGISTRY

acts.load()

HOUSE = Path(__file__).parents[1]
PACKAGES = ("domain", "projections", "replay", "api")
ENTRANCES = {
    "api/cli/main.py": "the command personnel-ledger",
    "domain/ledger/persistence.py": "named in PERSISTENCE_MODULE",
}
OWNERS = {
    "api/intake/shelf.py": "what an import holds of its rows, in a file of its own",
    "domain/ledger/statements.py": "the log's tables, with domain/ledger/schema",
    "domain/ledger/migrate.py": "meta",
    "domain/ledger/roles.py": "rights in the database; where the records lie",
    "domain/ledger/seals.py": "seal_tiles, seal_heads, seal_cosignatures",
    "domain/ledger/vault_statements.py": "the vault's tables",
    "projections/records.py": "records",
    "projections/records_statements.py": "records",
    "projections/runner.py": "bookmarks",
    "projections/sight.py": "records",
}
STATEMENT = re.compile(
    r"\b(SELECT\s.*\sFROM|INSERT\s+INTO|UPDATE\s+\S+\s+SET|DELETE\s+FROM"
    r"|(CREATE|DROP|ALTER|LOCK)\s+TABLE|TRUNCATE)\b",
    re.DOTALL,
)
OF_OTHERS = re.compile(r"\b(pg_database|pg_stat_\w+|pg_settings|pg_class)\b")
ROOMS_OF_JUNK = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core", "manager"}
# paths of one machine, and doubles of our own code
FOREIGN = re.compile(r"(?<![\w/-])/(home|root|tmp)/|unittest\.mock|MagicMock")


@cache
def sources(*folders):
    """{path within the house: text} of the Python files that say something."""
    paths = (path for folder in folders for path in sorted((HOUSE / folder).rglob("*.py")))
    texts = {path.relative_to(HOUSE).as_posix(): path.read_text() for path in paths}
    return {name: text for name, text in texts.items() if text.strip()}


def trees(*folders):
    return {name: ast.parse(text) for name, text in sources(*folders).items()}


@cache
def tracked():
    """The text files that are, or are about to be, part of the project."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=HOUSE, capture_output=True, text=True, check=True,
    )  # fmt: skip
    texts = {}
    for name in listed.stdout.splitlines():
        try:
            texts[name] = (HOUSE / name).read_text()
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
    return texts


def test_imports_go_one_way():
    checked = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=HOUSE, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout


def test_every_module_says_what_it_owns_and_its_invariant():
    for name, tree in trees(*PACKAGES).items():
        said = ast.get_docstring(tree) or ""
        assert said, name
        assert "nvariant" in said or name.endswith("__init__.py"), name


def test_no_file_is_longer_than_500_lines_and_no_function_than_60():
    for name, text in sources(*PACKAGES, "tests").items():
        assert len(text.splitlines()) <= 500, name
    for name, tree in trees(*PACKAGES, "tests").items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno - node.lineno < 60, f"{name}: {node.name}"


def test_no_file_is_a_room_for_junk():
    names = {Path(name).stem for name in sources(*PACKAGES, "tests")}
    assert not names & ROOMS_OF_JUNK


def test_the_project_speaks_of_itself_alone():
    ours = Path(__file__).relative_to(HOUSE).as_posix()
    for name, text in tracked().items():
        if name != ours:
            found = FOREIGN.search(text)
            assert found is None, f"{name}: {found.group()}"


def test_sql_lies_in_the_module_that_owns_the_table():
    found = {
        name
        for name, tree in trees(*PACKAGES).items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and STATEMENT.search(node.value)
        and not OF_OTHERS.search(node.value)
    }
    assert found == set(OWNERS)


def test_every_module_is_imported_by_another_or_is_an_entrance():
    imported = set()
    for tree in trees(*PACKAGES).values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                imported.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module)
                imported.update(f"{node.module}.{alias.name}" for alias in node.names)
    for name in sources(*PACKAGES):
        module = name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        chapter = name.startswith("domain/acts/")  # found by acts.load
        assert chapter or name in ENTRANCES or module in imported, f"nobody imports {name}"


def test_no_modules_import_each_other_in_a_circle():
    wanted = {}
    for name, tree in trees(*PACKAGES).items():
        module = name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        wanted[module] = {
            known
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module
            for known in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
        }
    # a package and its own modules are one room
    edges = {
        module: {
            known for known in names & wanted.keys() if not f"{module}.".startswith(f"{known}.")
        }
        for module, names in wanted.items()
    }
    TopologicalSorter(edges).prepare()  # raises CycleError, which names the circle


def test_every_chapter_declares_what_it_is_for():
    chapters = {cls.__module__ for cls in REGISTRY.values()}
    for chapter in chapters - {"domain.events"}:
        assert (HOUSE / f"{chapter.replace('.', '/')}.py").exists(), chapter


def test_every_refusal_has_a_code_of_its_own_and_words_in_both_languages():
    known = [c for c in vars(refusals).values() if isinstance(c, type)]
    known = [c for c in known if issubclass(c, refusals.Refusal)]
    assert Counter(c.code for c in known).most_common(1)[0][1] == 1
    for cls in known:
        assert re.fullmatch("[a-z]+(-[a-z]+)*", cls.code)
        assert "zh" in vars(cls), cls
        assert cls.__doc__.rstrip().endswith("."), cls
        assert cls.category in {"incorrect", "refused", "conflict", "unavailable"}


# documents


@pytest.fixture(scope="module")
def glossary():
    return (HOUSE / "docs" / "glossary.md").read_text()


def test_the_glossary_has_every_facet_with_its_words(glossary):
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split("|"))
        for line in glossary.splitlines()
        if line.startswith("| `")
    ]
    expected = [
        (
            f"`{f.name}`",
            f.zh,
            f.en,
            f.of,
            "set" if f.many else "one",
            "ends" if f.of == "person" and not f.stays else "stays",
        )
        for f in sorted(FACETS.values())
    ]
    assert rows == expected


def test_no_two_facets_share_a_word():
    for words in ([f.zh for f in FACETS.values()], [f.en for f in FACETS.values()]):
        assert len(set(words)) == len(words), Counter(words).most_common(1)


def test_links_between_documents_lead_somewhere():
    for name, text in tracked().items():
        if name.endswith(".md"):
            for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
                assert (HOUSE / name).parent.joinpath(target).exists(), f"{name}: {target}"
