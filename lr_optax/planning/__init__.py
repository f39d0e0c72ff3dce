"""Plan a run: rates for a batch size, settings of AdamW, lengths in steps."""
