"""The quality report: put together from what is known, written as JSON and as one page of HTML."""
