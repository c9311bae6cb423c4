package picture

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"
)

func memory() Picture {
	return Picture{
		Title: "Memory & processor <time>", X: "Services", Y: "MB",
		Lines: []Line{
			{"controller", []Point{{3000, 70}, {1000, 50}, {10000, 140}}},
			{"speaker", []Point{{1000, 48}, {10000, 139}}},
			{"nothing", nil},
		},
	}
}

// elements reads a document to its end and counts its elements by name. One that is not well-formed is an error.
func elements(document string) (map[string]int, error) {
	counted, decoder := map[string]int{}, xml.NewDecoder(strings.NewReader(document))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return counted, nil
		}
		if err != nil {
			return nil, err
		}
		if start, ok := token.(xml.StartElement); ok {
			counted[start.Name.Local]++
		}
	}
}

func TestPicture_IsWellFormed(t *testing.T) {
	for name, p := range map[string]Picture{"of two lines": memory(), "of nothing": {Title: "a < b"}, "of zeros": {Lines: []Line{{"l", []Point{{0, 0}}}}}} {
		got, err := elements(p.SVG())
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got["svg"] != 1 || got["style"] != 1 || strings.Contains(p.SVG(), "NaN") {
			t.Errorf("%s: %v", name, got)
		}
	}
	got, _ := elements(memory().SVG())
	if got["polyline"] != 2 || got["circle"] != 5 {
		t.Errorf("two lines with five points are %v", got)
	}
}

func TestPicture_FollowsTheSchemeOfTheReader(t *testing.T) {
	light, dark, found := strings.Cut(memory().SVG(), "@media (prefers-color-scheme:dark)")
	for _, class := range []string{"text{", ".background{", ".grid{", ".l0{", ".l1{", ".l2{", ".l3{"} {
		if !found || !strings.Contains(light, class) || !strings.Contains(dark, class) {
			t.Errorf("%s has not a colour in each scheme", class)
		}
	}
}

// What is twice as much is twice as far from the axis, and points are joined in the order of the axis, in whatever order they come.
func TestPicture_IsTrueToScale(t *testing.T) {
	p := Picture{Lines: []Line{{"l", []Point{{200, 40}, {100, 20}}}}}
	found := regexp.MustCompile(`points="([\d.]+),([\d.]+) ([\d.]+),([\d.]+)"`).FindStringSubmatch(p.SVG())
	if found == nil {
		t.Fatal("there is no line of two points")
	}
	var at [4]float64
	for i := range at {
		if _, err := fmt.Sscan(found[i+1], &at[i]); err != nil {
			t.Fatal(err)
		}
	}
	if math.Abs(2*(at[0]-left)-(at[2]-left)) > 0.3 || math.Abs(2*(bottom-at[1])-(bottom-at[3])) > 0.3 {
		t.Errorf("the points are at %v", at)
	}
}

func TestPicture_NamesDoNotOverlap(t *testing.T) {
	var lines []Line
	for i := range 4 {
		lines = append(lines, Line{fmt.Sprint(i), []Point{{1, float64(i % 2)}, {2, 0.01 * float64(i)}}})
	}
	heights := labelsOf(lines, axis{1})
	for i := range heights {
		for j := range i {
			if math.Abs(heights[i]-heights[j]) < labelHeight-0.01 {
				t.Errorf("names %d and %d are at %v", i, j, heights)
			}
		}
	}
}

func TestAxis_HasFewRoundNumbersUpToTheLargest(t *testing.T) {
	for _, largest := range []float64{0.003, 0.9, 1, 6, 6.1, 7, 12.5, 31, 99, 100, 2048, 10000, 123456} {
		a := axis{largest}
		ticks := a.ticks()
		last := ticks[len(ticks)-1]
		if len(ticks) < 3 || len(ticks) > 7 || ticks[0] != 0 || last < largest*(1-1e-9) || last > 1.4*largest {
			t.Errorf("%v: %v", largest, ticks)
		}
	}
}

func TestNumber_IsReadable(t *testing.T) {
	for value, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", 0.123456: "0.123", 2.5: "2.5"} {
		if got := number(value); got != want {
			t.Errorf("%v is %s, want %s", value, got, want)
		}
	}
}
