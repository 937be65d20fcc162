// SPDX-License-Identifier: GPL-2.0
// Into the helpers of a kernel in which there are many mutants: which one is on, and what ran.

#include <linux/hex.h>
#include <linux/moduleparam.h>

#define FUNCTIONS 2048

/* The build exports what is in the helpers. */
unsigned int rust_mutant;
u8 rust_reached[FUNCTIONS];

/* For bindgen, all code is a module's. */
#ifndef MODULE
core_param(rust_mutant, rust_mutant, uint, 0444);

/* A bit for each function that ran since this was read last, four in a digit. */
static int get_reached(char *buffer, const struct kernel_param *unused)
{
	int digits = 0;

	for (int at = 0; at < FUNCTIONS; at += 4) {
		int digit = 0;

		for (int bit = 0; bit < 4; bit++)
			digit |= xchg(&rust_reached[at + bit], 0) << bit;
		buffer[at / 4] = hex_asc[digit];
		if (digit)
			digits = at / 4 + 1;
	}
	buffer[digits] = '\n';
	return digits + 1;
}

static const struct kernel_param_ops reached_ops = { .get = get_reached };
/* The core's too, not a module's. */
#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX ""
module_param_cb(rust_reached, &reached_ops, NULL, 0444);
#endif
