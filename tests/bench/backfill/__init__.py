"""Servers that come back with a day of backlog, while others go on: how late are those?"""
