"""`python -m guardkit.syntax`: write `tables.json` anew, after a change of the grammar."""

from ._tables import TABLES, build_tables

if __name__ == "__main__":
    TABLES.write_text(build_tables(), encoding="utf-8", newline="\n")
    print(f"{TABLES.name}: {TABLES.stat().st_size:,} bytes")
