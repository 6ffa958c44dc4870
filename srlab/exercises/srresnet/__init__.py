"""Exercises of lab 01: the parts of SRResNet, and what a training asks for and keeps."""
