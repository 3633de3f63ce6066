// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Rules files with lines of up to ten million bytes: the input is an exponent of two, and a text to
 * repeat so many times. See conf.c for what must hold.
 */
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define LONGEST	(10 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t most, i;
	uint8_t *text;

	if (size < 2)
		return 0;
	most = LONGEST / --size;
	if (most > 1U << data[0] % 24)
		most = 1U << data[0] % 24;
	text = xcalloc(most, size);
	for (i = 0; i < most; i++)
		memcpy(text + i * size, data + 1, size);
	check_rules(text, most * size);
	free(text);
	return 0;
}
