"""`python -m guardkit.text` writes the table file of this room anew."""

from ._generate import write

if __name__ == "__main__":
    write()
