"""What `check` needs, and other feedback on what a student wrote or trained."""
