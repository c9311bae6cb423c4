// Package picture draws lines on two axes as SVG: how something grows with a number. Both axes begin at 0 and are linear, so that what
// grows evenly is straight. The colours follow the reader's light or dark scheme. It refuses to know what is drawn.
package picture

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Picture is a drawing. Lines without points are left out.
type Picture struct {
	Title string
	X, Y  string // what the axes count, with units
	Lines []Line
}

// Line joins the points of one thing.
type Line struct {
	Name   string
	Points []Point
}

// Point is a measurement. Neither number is negative.
type Point struct{ X, Y float64 }

// The drawing's size, and its part within the axes, in pixels.
const (
	width, height = 640, 360
	left, right   = 64, 440
	top, bottom   = 44, 304
	// labelHeight is the least distance of two names of lines.
	labelHeight = 17
	// maxTicks is how many numbers an axis has at most, beside 0.
	maxTicks = 6
)

// The colours of lines differ in lightness too, for those who do not see their hue.
const style = `<style>
text{font:13px system-ui,sans-serif;fill:#1f2328}
.title{font-weight:600;font-size:15px}
.small{font-size:12px;fill:#59636e}
.grid{stroke:#d1d9e0;stroke-width:1}
.background{fill:#ffffff}
polyline{fill:none;stroke-width:2.5}
.l0{stroke:#0550ae;fill:#0550ae}
.l1{stroke:#bc4c00;fill:#bc4c00}
.l2{stroke:#1a7f37;fill:#1a7f37}
.l3{stroke:#8250df;fill:#8250df}
text.l0,text.l1,text.l2,text.l3{stroke:none}
@media (prefers-color-scheme:dark){
text{fill:#f0f6fc}
.small{fill:#9198a1}
.grid{stroke:#3d444d}
.background{fill:#0d1117}
.l0{stroke:#79c0ff;fill:#79c0ff}
.l1{stroke:#f0883e;fill:#f0883e}
.l2{stroke:#3fb950;fill:#3fb950}
.l3{stroke:#d2a8ff;fill:#d2a8ff}
}
polyline.l0,polyline.l1,polyline.l2,polyline.l3{fill:none}
</style>
`

// colours is how many there are; a fifth line has the first again.
const colours = 4

// SVG is the drawing as a document.
func (p Picture) SVG() string {
	lines := slices.DeleteFunc(slices.Clone(p.Lines), func(l Line) bool { return len(l.Points) == 0 })
	x, y := axisOf(lines, func(at Point) float64 { return at.X }), axisOf(lines, func(at Point) float64 { return at.Y })
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="title">`+"\n", width, height)
	fmt.Fprintf(&b, "<title id=\"title\">%s</title>\n%s", escaped(p.Title), style)
	fmt.Fprintf(&b, `<rect class="background" width="%d" height="%d"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text class="title" x="%d" y="22">%s</text>`+"\n", left, escaped(p.Title))
	for _, tick := range y.ticks() {
		fmt.Fprintf(&b, `<line class="grid" x1="%d" y1="%.1f" x2="%d" y2="%.1f"/>`, left, y.vertical(tick), right, y.vertical(tick))
		fmt.Fprintf(&b, `<text class="small" x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", left-6, y.vertical(tick)+4, number(tick))
	}
	for _, tick := range x.ticks() {
		fmt.Fprintf(&b, `<text class="small" x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x.horizontal(tick), bottom+18, number(tick))
	}
	fmt.Fprintf(&b, `<text class="small" x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", (left+right)/2, bottom+40, escaped(p.X))
	fmt.Fprintf(&b, `<text class="small" x="%d" y="%d">%s</text>`+"\n", 8, top-8, escaped(p.Y))
	drawLines(&b, lines, x, y)
	b.WriteString("</svg>\n")
	return b.String()
}

// drawLines draws the lines, a dot for each point, and the names at the ends.
func drawLines(b *strings.Builder, lines []Line, x, y axis) {
	labels := labelsOf(lines, y)
	for i, line := range lines {
		points := slices.SortedFunc(slices.Values(line.Points), func(a, b Point) int { return cmp.Compare(a.X, b.X) })
		var path []string
		for _, at := range points {
			path = append(path, fmt.Sprintf("%.1f,%.1f", x.horizontal(at.X), y.vertical(at.Y)))
		}
		fmt.Fprintf(b, `<polyline class="l%d" points="%s"/>`+"\n", i%colours, strings.Join(path, " "))
		for _, at := range points {
			fmt.Fprintf(b, `<circle class="l%d" cx="%.1f" cy="%.1f" r="3.5"><title>%s: %s, %s</title></circle>`+"\n",
				i%colours, x.horizontal(at.X), y.vertical(at.Y), escaped(line.Name), number(at.X), number(at.Y))
		}
		fmt.Fprintf(b, `<text class="l%d" x="%d" y="%.1f">%s</text>`+"\n", i%colours, right+10, labels[i]+4, escaped(line.Name))
	}
}

// labelsOf are the heights of the names of lines: beside the last point, and as far apart as names need.
func labelsOf(lines []Line, y axis) []float64 {
	type label struct {
		line int
		at   float64
	}
	var labels []label
	for i, line := range lines {
		last := slices.MaxFunc(line.Points, func(a, b Point) int { return cmp.Compare(a.X, b.X) })
		labels = append(labels, label{i, y.vertical(last.Y)})
	}
	slices.SortStableFunc(labels, func(a, b label) int { return cmp.Compare(b.at, a.at) })
	heights := make([]float64, len(lines))
	lowest := float64(bottom)
	for _, l := range labels { // from the bottom up
		heights[l.line] = min(l.at, lowest)
		lowest = heights[l.line] - labelHeight
	}
	return heights
}

// axis is from 0 to the largest number.
type axis struct{ largest float64 }

func axisOf(lines []Line, of func(Point) float64) axis {
	largest := 0.0
	for _, line := range lines {
		for _, at := range line.Points {
			largest = max(largest, of(at))
		}
	}
	if largest == 0 {
		largest = 1
	}
	return axis{largest}
}

// end is the last number of the axis, at or above the largest.
func (a axis) end() float64 { return a.step() * math.Ceil(a.largest/a.step()-1e-9) }

// step is the distance of two numbers: 1, 2 or 5 times a power of ten.
func (a axis) step() float64 {
	least := a.largest / maxTicks
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, times := range []float64{1, 2, 5} {
		if times*power >= least*(1-1e-9) {
			return times * power
		}
	}
	return 10 * power
}

// ticks are the numbers of the axis, 0 first.
func (a axis) ticks() (all []float64) {
	for i := range int(math.Round(a.end()/a.step())) + 1 {
		all = append(all, float64(i)*a.step())
	}
	return all
}

func (a axis) horizontal(v float64) float64 { return left + v/a.end()*(right-left) }
func (a axis) vertical(v float64) float64   { return bottom - v/a.end()*(bottom-top) }

// number is a number with three digits, or all of a whole one, in groups of three.
func number(v float64) string {
	if v != math.Trunc(v) {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	text := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // A Builder takes everything.
	return b.String()
}
