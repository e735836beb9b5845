"""Broken and hostile input, made by the hundred thousand: does the node survive it, and does anything leak?"""
