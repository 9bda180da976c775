"""Published claims as data, and what a study's measurements say of each of them."""
