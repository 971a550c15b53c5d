#!/bin/sh
# A compiler that counts which regions of the sources run, in the place of the compiler.
exec "$@" -Cinstrument-coverage
