# SPDX-License-Identifier: GPL-2.0-only
# Draws a chart in SVG from what the bench prints. Called by scripts/bench.
#
#   awk -F, -v chart=lookups   instructions for a lookup, by size and map
#   awk -F, -v chart=day       how much more everyday work takes, by work and guard
#
# The input is CSV: table, row, column, value. Each row of the chart is a group of bars.

BEGIN {
	split("#1f6feb #2da44e #bf8700 #cf222e #8250df #0a7ea4 #57606a #d4a72c", colors, " ")
	left = 130
	width = 760
	bar = 16
	gap = 18
	# Names of columns, to a line.
	names = chart == "day" ? 4 : 5
	title = chart == "day" ? "Instructions that a guard adds to everyday work, in percent" : \
		"Instructions per lookup"
	format = chart == "day" ? "%.1f" : "%.0f"
}

function add(row, column, value)
{
	if (!(row in seen_row)) {
		seen_row[row] = 1
		rows[++nr_rows] = row
	}
	if (!(column in seen_column)) {
		seen_column[column] = 1
		columns[++nr_columns] = column
	}
	cells[row, column] = value
	if (value > most)
		most = value
}

chart == "lookups" && $1 == "programs" && $3 != "empty" && $2 ~ /^(miss|hit in [0-9]+)$/ {
	add($2, $3, $4)
}

chart == "lookups" && $1 == "programs" && $3 == "empty" && $2 == "miss" { least = $4 }

# No guard is 1.
chart == "day" && $1 == "day" && $2 !~ /^(no guard|instructions)/ { add($3, $2, ($4 - 1) * 100) }

function escape(text)
{
	gsub(/&/, "\\&amp;", text)
	gsub(/</, "\\&lt;", text)
	return text
}

function name(column)
{
	sub(/dev\+ino/, "on {dev, ino}", column)
	sub(/hash pointer/, "hash on the pointer", column)
	gsub(/;/, ",", column)
	return column
}

# What is less than nothing is noise.
function x(value)
{
	return left + (value > 0 ? value : 0) / most * (width - left - 70)
}

function text(at, y, anchor, what)
{
	printf "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"%s\">%s</text>\n", at, y, anchor, escape(what)
}

END {
	top = 50 + 20 * int((nr_columns + names - 1) / names)
	height = top + nr_rows * (nr_columns * bar + gap) + 10
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#1f2328\">\n",
		width, height, width, height
	printf "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", width, height
	printf "<text x=\"12\" y=\"22\" font-size=\"15\" font-weight=\"bold\">%s</text>\n", title
	if (least)
		text(width - 12, 22, "end", "dashed: a function that does nothing")
	for (c = 1; c <= nr_columns; c++) {
		at = 12 + (c - 1) % names * int(740 / names)
		y = 36 + 20 * int((c - 1) / names)
		printf "<rect x=\"%d\" y=\"%d\" width=\"11\" height=\"11\" fill=\"%s\"/>\n", at, y, colors[c]
		text(at + 16, y + 10, "start", name(columns[c]))
	}
	y = top
	for (r = 1; r <= nr_rows; r++) {
		label = rows[r]
		sub(/100000$/, "100,000", label)
		sub(/10000$/, "10,000", label)
		sub(/1000$/, "1,000", label)
		text(left - 8, y + nr_columns * bar / 2 + 4, "end", label)
		for (c = 1; c <= nr_columns; c++) {
			value = cells[rows[r], columns[c]]
			printf "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n",
				left, y, x(value) - left, bar - 3, colors[c]
			text(x(value) + 5, y + 11, "start", sprintf(format, value))
			y += bar
		}
		y += gap
	}
	if (least)
		printf "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#57606a\" stroke-dasharray=\"4 3\"/>\n",
			x(least), top - 6, x(least), height - 20
	print "</svg>"
}
