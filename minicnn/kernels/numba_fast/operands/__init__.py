"""What a product multiplies, and the product: how an image becomes runs of numbers, and which of them are skipped."""
