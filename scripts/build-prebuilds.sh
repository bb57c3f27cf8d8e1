#!/usr/bin/env bash
# Builds the binary for this platform into prebuilds/, as the package ships it.
. "$(dirname "$0")/common.sh"

prebuild
ls -l prebuilds/*/*.node
