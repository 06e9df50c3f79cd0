"""The pages: each reads its form, calls operations, and draws a template."""
