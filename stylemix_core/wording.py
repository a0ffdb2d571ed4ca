"""Numbers in words for people."""


def counted(count: int, noun: str) -> str:
    """A number and what it counts.

    >>> counted(1, "picture"), counted(2, "picture"), counted(0, "W+ file")
    ('1 picture', '2 pictures', '0 W+ files')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def there_are(count: int, noun: str) -> str:
    """The start of a sentence on how many there are of something.

    >>> there_are(1, "face"), there_are(2, "face")
    ('there is 1 face', 'there are 2 faces')
    """
    return f"there {'is' if count == 1 else 'are'} {counted(count, noun)}"


def percent(share: float) -> str:
    """A share in whole percent, never "-0%".

    >>> percent(0.634), percent(-0.002), percent(-0.02)
    ('63%', '0%', '-2%')
    """
    return f"{round(share, 2) + 0.0:.0%}"  # -0.0 + 0.0 is 0.0


def duration(seconds: float) -> str:
    """A time to wait, roughly: "8 s", "2 min"."""
    return f"{max(round(seconds), 1)} s" if seconds < 90 else f"{round(seconds / 60)} min"
