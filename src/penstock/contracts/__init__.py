"""What contracts say of shapes, and of one another: pure functions."""
