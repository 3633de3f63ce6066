# SPDX-License-Identifier: GPL-2.0-only
# Turns what the bench prints into tables in markdown. Called by scripts/bench.
#
# The input is CSV: table, row, column, value. Rows and columns keep the order of their first
# occurrence. A cell without a value is a dash.

function title(table)
{
	if (table == "programs")
		return "Instructions per call by a BPF program"
	if (table == "calls")
		return "Instructions per call from user space, with the system call"
	if (table == "memory")
		return "Kernel memory per entry, with a value of 8 bytes"
	if (table == "filesystem")
		return "Instructions per operation on a filesystem"
	if (table == "profile")
		return "Where a file on a filesystem with entries costs more: instructions by kernel function"
	if (table == "profile operations")
		return "Where the instructions of a call go, by function"
	if (table == "profile unmount")
		return "Where unmounting 8 files with entries costs more: instructions by function"
	if (table == "profile guard")
		return "Where inode-guard costs a file without a rule more: instructions by function"
	if (table == "guard")
		return "Instructions per operation on a file without a rule, by what inode-guard has"
	if (table == "day")
		return "Everyday work: instructions of the whole machine, no guard = 1.00"
	if (table == "scale")
		return "Instructions per entry of a map, and bytes"
	if (table == "maps")
		return "Many maps: instructions per operation"
	if (table == "smp")
		return "Lookups per second, inode storage = 1.00"
	if (table == "smp calls")
		return "Inserts and deletes per second, inode storage = 1.00"
	if (table == "smp growth")
		return "Inserts and deletes per second, on 1 CPU = 1.00"
	return table
}

function heading(column)
{
	if (column == "hash dev+ino")
		return "hash on `{dev, ino}`"
	if (column == "LRU hash dev+ino")
		return "LRU hash on `{dev, ino}`"
	if (column == "hash pointer")
		return "hash on the pointer"
	if (column == "empty")
		return "empty function"
	return words(column)
}

# 1234567 becomes 1,234,567.
function commas(digits)
{
	return length(digits) > 3 ? commas(substr(digits, 1, length(digits) - 3)) "," \
		substr(digits, length(digits) - 2) : digits
}

function number(value, column)
{
	if (value == "")
		return "–"
	if (column == "ratio" || table ~ /^smp/ || (table == "day" && value < 100))
		return sprintf("%.3f", value)
	if (value >= 1000)
		return commas(sprintf("%.0f", value))
	return value == int(value) ? int(value) : sprintf("%.1f", value)
}

# "hit in 100000" becomes "hit in 100,000"; a semicolon stands for a comma.
function words(row,    n, parts, i, text, end)
{
	n = split(row, parts, " ")
	for (i = 1; i <= n; i++) {
		end = sub(/;$/, "", parts[i]) ? "," : ""
		text = text (i > 1 ? " " : "") (parts[i] ~ /^[0-9]+$/ ? commas(parts[i]) : parts[i]) end
	}
	return text
}

$1 == "about" {
	about[$2] = $3
	next
}

NF == 4 {
	if (!($1 in nr_rows))
		tables[++nr_tables] = $1
	if (!(($1, $2) in seen_row)) {
		seen_row[$1, $2] = 1
		rows[$1, ++nr_rows[$1]] = $2
	}
	if (!(($1, $3) in seen_column)) {
		seen_column[$1, $3] = 1
		columns[$1, ++nr_columns[$1]] = $3
	}
	cells[$1, $2, $3] = $4
}

END {
	for (t = 1; t <= nr_tables; t++) {
		table = tables[t]
		printf "%s| %s |", (t > 1 ? "\n" : ""), title(table)
		for (c = 1; c <= nr_columns[table]; c++)
			printf " %s |", heading(columns[table, c])
		printf "\n| --- |"
		for (c = 1; c <= nr_columns[table]; c++)
			printf " ---: |"
		printf "\n"
		for (r = 1; r <= nr_rows[table]; r++) {
			printf "| %s |", words(rows[table, r])
			for (c = 1; c <= nr_columns[table]; c++) {
				column = columns[table, c]
				printf " %s |", number(cells[table, rows[table, r], column], column)
			}
			printf "\n"
		}
	}
	if (about["kernel"])
		printf "\nLinux %s, %s. Written by `%s`; how each figure is measured: `bench/bench.c`.\n",
			about["kernel"], about["date"], about["command"]
}
