//! Packet parsing for the TC programs, pure and built on the host too.
#![no_std]
