"""Keeping a relation equal to its SELECT by touching only what changed: the rule of affected units, as pure functions.

    A model is Q(I1 … In); input j has changed by row images that left it (Oj) and entered it (Nj). Its output is a
    disjoint union over units. With core(Q) for the FROM, JOIN and WHERE below the grouping, every unit whose content
    can differ is among the units of core with Ij replaced by Oj and Nj together, and every other Ii by Ii and Oi
    together; this for each changed j. Call them A.
    A may be too large and stay right; it must never be too small.

Read in this order: `nodes` (what a query is here), `resolve` and `joins` (from SQL to nodes, or a reason why not),
`units` (what the smallest part is that can be made anew alone), `terms` (the rule), `outer` and `inner` (outer joins,
subqueries), `states` (a part of a query before, now, or either), `restrict` (only the rows of some units), `program`
(all of it as statements). Whatever is not understood raises `Rebuild`: a rebuild is always right.
"""
