#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs in the build root, where the kernel was built: makes bench_rust.o anew from LLVM's bitcode,
# with the helpers of rust/helpers in it, so that they can be inlined. A newer kernel has an option
# for that. What is in the kernel itself calls helpers as before.
#
# inline.sh FROM TO: two directories; bench_rust.o was made in the first one.
set -e
from=$1 to=$2
kept=rust/bindings/.bindings_helpers_generated.rs.cmd

# What bindgen was told of C, it was told for clang.
flags=$(sed -n '1s/.* -- \(.*\) -D__BINDGEN__ .*/\1/p' $kept | sed 's/-Wp,[^ ]*//; s/-Werror[^ ]*//g')
[ "$flags" ]
eval "clang $flags -fwrapv -emit-llvm -c /src/rust/helpers/helpers.c -o $to/helpers.bc"

# As it was compiled, but not to machine code.
command=$(sed -n '1s/^savedcmd_[^ ]* := //p' "$from/.bench_rust.o.cmd" |
	sed 's/ ; .*//; s/; .*//; s/--emit=[^ ]*//g; s/--out-dir [^ ]*//')
[ "$command" ]
export RUSTC_BOOTSTRAP=1
eval "$command --out-dir $to --emit=llvm-bc=$to/rust.bc"

llvm-link "$to/rust.bc" --internalize --only-needed "$to/helpers.bc" -o "$to/linked.bc"
# They were compiled for the same CPU, but it is put into other words.
llvm-dis "$to/linked.bc" -o - |
	sed -E 's/"(target-cpu|target-features|tune-cpu)"="[^"]*"//g
		s/^(define internal .*@rust_helper_.*) (#[0-9]+)(.*)$/\1 alwaysinline \2\3/' >"$to/linked.ll"
opt -passes='always-inline,default<O2>' "$to/linked.ll" -o "$to/inlined.bc"
clang --target=x86_64-linux-gnu -O2 -mcmodel=kernel -mno-red-zone -fno-pic -fno-asynchronous-unwind-tables \
	-mno-sse -mno-mmx -c -x ir "$to/inlined.bc" -o "$to/inlined.o_shipped"
if nm -u "$to/inlined.o_shipped" | grep rust_helper_; then
	echo "these are not inlined" >&2
	exit 1
fi
printf 'obj-m := bench_rust.o\nbench_rust-y := inlined.o\n' >"$to/Makefile"
: >"$to/.inlined.o.cmd"
