"""Looks at a personal data map and its database before a person's request does.

The operator's own: `smartlink tpd check` and `smartlink tpd draft`. It is not deployed, it writes
nothing, and no value of a database gets out of it: only names, counts, and shapes.

    check           what is wrong with a map on its database, and what the map leaves out
    draft           a first map of a database, for a person to finish
    all_errors      every error of a map at once
    stored_forms    do the identifiers find the values that are stored?
    unmapped        columns that look personal and that the map does not have
    names, contents how a column looks personal
    copies          triggers, rules, views, publications: what copies a mapped table's rows
    indexes         which are missing, and how long a lookup takes without
    rights          what the database's user may not do, with the grants
    tables          the database's tables, and samples of their rows
    findings        what all of them tell
"""
