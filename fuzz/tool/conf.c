// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Rules files (conf.c, options.c): the input is a rules file. The rules that the tool reads from
 * it, written as lines, must read as the same rules; the tool must report errors in whole lines.
 */
#include "world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_rules(data, size);
	return 0;
}
