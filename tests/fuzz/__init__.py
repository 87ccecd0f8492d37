"""Damaged and hostile input for everything that reads files or requests: python -m tests.fuzz --seconds 3600"""
