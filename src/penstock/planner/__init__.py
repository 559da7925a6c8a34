"""Project + ledger + landing → Plan. Pure: the plan is made without touching a warehouse, a source or a clock."""
