# SPDX-License-Identifier: GPL-2.0-only
# Draws a chart, in SVG, of what the bench prints about lookups. Called by scripts/bench.
#
# The input is CSV: table, row, column, value. A bar for each kind of map, in a group for each row.

BEGIN {
	split("#1f6feb #2da44e #bf8700 #cf222e #8250df", colors, " ")
	left = 130
	width = 760
	bar = 16
	gap = 18
	top = 70
}

$1 == "programs" && $3 != "empty" && $2 ~ /^(miss|hit in [0-9]+)$/ {
	if (!($2 in seen_row)) {
		seen_row[$2] = 1
		rows[++nr_rows] = $2
	}
	if (!($3 in seen_column)) {
		seen_column[$3] = 1
		columns[++nr_columns] = $3
	}
	cells[$2, $3] = $4
	if ($4 > most)
		most = $4
}

$1 == "programs" && $3 == "empty" && $2 == "miss" { least = $4 }

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
	return column
}

function x(value)
{
	return left + value / most * (width - left - 70)
}

function text(at, y, anchor, what)
{
	printf "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"%s\">%s</text>\n", at, y, anchor, escape(what)
}

END {
	height = top + nr_rows * (nr_columns * bar + gap) + 10
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#1f2328\">\n",
		width, height, width, height
	printf "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", width, height
	printf "<text x=\"12\" y=\"22\" font-size=\"15\" font-weight=\"bold\">Instructions per lookup</text>\n"
	text(width - 12, 22, "end", "dashed: a function that does nothing")
	for (c = 1; c <= nr_columns; c++) {
		at = 12 + (c - 1) * 148
		printf "<rect x=\"%d\" y=\"36\" width=\"11\" height=\"11\" fill=\"%s\"/>\n", at, colors[c]
		text(at + 16, 46, "start", name(columns[c]))
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
			text(x(value) + 5, y + 11, "start", sprintf("%.0f", value))
			y += bar
		}
		y += gap
	}
	printf "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#57606a\" stroke-dasharray=\"4 3\"/>\n",
		x(least), top - 6, x(least), height - 20
	print "</svg>"
}
