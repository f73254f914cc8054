"""A test double of Kong Gateway OSS 3.9.3: its Admin API, Status API and a small proxy. It is not Kong."""
