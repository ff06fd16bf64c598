"""Redis as FLick uses it: disposable. Every call has an end, and a failing Redis costs news, never an error.

A call answers None or False when Redis failed. That is counted, and logged once when Redis goes and once when it is
back; in between calls fail at once instead of waiting. What must not get lost does not go this way.
"""
