"""Better or worse than before: one run held against another and its history. Pure.

A cell is held against its own past; what got worse is then explained as everything that is bad is, by what
the cells have in common. A single metric of a single cell proves nothing, so it counts only in company.
"""
