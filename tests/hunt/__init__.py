"""The hunt: values of patients planted in all that reaches a node, and looked for in all that it leaves behind.

sentinels.py  what is planted, and every form in which it could come out
plants.py     instances with a sentinel in every attribute of the dictionary, and in what is no attribute
callers.py    sentinels in AE titles, associations, commands, web requests
places.py     where a node leaves something
run.py        a real node, its crashes, and the search
"""
