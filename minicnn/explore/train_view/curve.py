"""Loss and accuracy on the way, in a bounded number of points."""

from typing import Any

MOST = 240  # points


class Curve:
    """The steps of a training, neighbours taken together as it grows.

    A point is the mean over all images of its steps. Once there are MOST points, each two
    become one, and from then on a point takes twice as many steps.
    """

    def __init__(self) -> None:
        self.width = 1  # steps in a point
        self.points: list[list[float]] = []  # [steps, images, sum of losses, right]

    def add(self, loss: float, right: float, images: int) -> None:
        """One step: its mean loss, and how many of its images were answered rightly."""
        if not self.points or self.points[-1][0] == self.width:
            if len(self.points) == MOST:
                pairs = zip(self.points[::2], self.points[1::2], strict=True)
                self.points = [[a + b for a, b in zip(*pair, strict=True)] for pair in pairs]
                self.width *= 2
            self.points.append([0, 0, 0.0, 0])
        last = self.points[-1]
        for place, value in enumerate((1, images, loss * images, right)):
            last[place] += value

    def drawn(self, all_images: int) -> dict[str, Any]:
        """Columns to draw; x is in epochs, at the end of a point's steps."""
        seen = 0.0
        x = []
        for _, images, _, _ in self.points:
            seen += images
            x.append(seen / all_images)
        return {
            "x": x,
            "loss": [loss / images for _, images, loss, _ in self.points],
            "accuracy": [right / images for _, images, _, right in self.points],
        }
