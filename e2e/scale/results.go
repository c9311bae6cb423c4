package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/e2e/scale/picture"
)

// result is what was measured of a cluster.
type result struct {
	Services int                `json:"services"`
	Nodes    int                `json:"nodes"`
	Speakers int                `json:"speakers"` // real ones
	At       string             `json:"at"`       // the day
	Load     float64            `json:"load"`     // of the machine, in the last five minutes
	Figures  map[string]float64 `json:"figures"`
}

func compareResults(a, b result) int {
	return cmp.Or(cmp.Compare(a.Nodes, b.Nodes), cmp.Compare(a.Services, b.Services), cmp.Compare(a.Speakers, b.Speakers))
}

func readResults(file string) (all []result, err error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the results: %w", err)
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("read the results in %s: %w", file, err)
	}
	return all, nil
}

// addResult puts a result into the file. Of one cluster the latest figures stand; what was not measured this time stays as it was.
func addResult(file string, r result) error {
	all, err := readResults(file)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(merge(all, r), "", " ")
	if err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

func merge(all []result, r result) []result {
	merged := slices.Clone(all)
	if i := slices.IndexFunc(merged, func(other result) bool { return compareResults(other, r) == 0 }); i >= 0 {
		old := merged[i].Figures
		merged[i] = r
		merged[i].Figures = maps.Clone(old)
		maps.Copy(merged[i].Figures, r.Figures)
	} else {
		merged = append(merged, r)
	}
	slices.SortFunc(merged, compareResults)
	return merged
}

// The markers of the part of the page that is written here.
const (
	begin = "<!-- scale: written by make scale -->\n"
	end   = "<!-- end of scale -->\n"
)

// publish draws all pictures that the results have two points for, and writes table and pictures into the page.
func publish(s settings) error {
	all, err := readResults(s.results)
	if err != nil {
		return err
	}
	folder := filepath.Dir(s.results)
	drawn := map[string]picture.Picture{}
	for _, d := range pictures {
		p := d.of(all)
		file := filepath.Join(folder, d.name())
		if len(p.Lines) == 0 {
			err = errors.Join(err, removeOld(file))
			continue
		}
		drawn[d.name()] = p
		err = errors.Join(err, os.WriteFile(file, []byte(p.SVG()), 0o644))
	}
	if err != nil {
		return fmt.Errorf("write the pictures: %w", err)
	}
	page, err := os.ReadFile(s.page)
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	from, err := filepath.Rel(filepath.Dir(s.page), folder)
	if err != nil {
		return fmt.Errorf("find the pictures from the page: %w", err)
	}
	written, err := replaced(page, report(all, drawn, filepath.ToSlash(from)))
	if err != nil {
		return fmt.Errorf("write %s: %w", s.page, err)
	}
	return os.WriteFile(s.page, written, 0o644)
}

func removeOld(file string) error {
	if err := os.Remove(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// replaced is a page with the part between the markers replaced.
func replaced(page []byte, part string) ([]byte, error) {
	before, rest, found := bytes.Cut(page, []byte(begin))
	_, after, foundToo := bytes.Cut(rest, []byte(end))
	if !found || !foundToo {
		return nil, fmt.Errorf("it has not got the lines %q and %q", strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return slices.Concat(before, []byte(begin+part+end), after), nil
}

func (d drawn) name() string { return "scale-" + d.file + ".svg" }

// of draws the results along one axis, those that have the same of the other: that which most have, and of several the least. A line has two
// points or more.
func (d drawn) of(all []result) (p picture.Picture) {
	along, other := func(r result) int { return r.Services }, func(r result) int { return r.Nodes }
	p = picture.Picture{Title: d.title, X: "Services", Y: d.unit}
	if d.againstNodes {
		along, other, p.X = other, along, "nodes"
	}
	if len(all) == 0 {
		return p
	}
	have := map[int]int{}
	for _, r := range all {
		have[other(r)]++
	}
	fixed := slices.MinFunc(slices.Collect(maps.Keys(have)), func(a, b int) int { return cmp.Or(cmp.Compare(have[b], have[a]), cmp.Compare(a, b)) })
	for _, key := range d.keys {
		line := picture.Line{Name: figureOf(key).line}
		for _, r := range all {
			if value, measured := r.Figures[key]; measured && other(r) == fixed {
				line.Points = append(line.Points, picture.Point{X: float64(along(r)), Y: value})
			}
		}
		if len(line.Points) > 1 {
			p.Lines = append(p.Lines, line)
		}
	}
	return p
}

// report is the part of the page: pictures, and a table with a column for each cluster.
func report(all []result, drawn map[string]picture.Picture, folder string) string {
	var b strings.Builder
	b.WriteString("\n" + gallery(drawn, folder) + "\n| |")
	for _, r := range all {
		fmt.Fprintf(&b, " %s Services, %d nodes |", figure{}.text(float64(r.Services)), r.Nodes)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(all)) + "\n")
	for _, f := range figures {
		b.WriteString(row(f, all))
	}
	b.WriteString("| measured on, at a load of |")
	for _, r := range all {
		fmt.Fprintf(&b, " %s, %.0f |", r.At, r.Load)
	}
	b.WriteString("\n\n")
	return b.String()
}

// gallery has two pictures beside each other.
func gallery(drawn map[string]picture.Picture, folder string) string {
	var images []string
	for _, d := range pictures {
		if p, there := drawn[d.name()]; there {
			images = append(images, fmt.Sprintf("![%s, against the number of %s](%s/%s)", p.Title, p.X, folder, d.name()))
		}
	}
	if len(images) == 0 {
		return ""
	}
	rows := "| | |\n|---|---|\n"
	for pair := range slices.Chunk(images, 2) {
		rows += "| " + strings.Join(pair, " | ") + strings.Repeat(" | ", 2-len(pair)) + " |\n"
	}
	return rows
}

// row is a figure of all clusters, empty where it was not measured of any.
func row(f figure, all []result) string {
	var cells []string
	for _, r := range all {
		cell := ""
		if value, measured := r.Figures[f.key]; measured {
			cell = strings.TrimSpace(f.text(value) + " " + f.unit)
		}
		cells = append(cells, cell)
	}
	if strings.Join(cells, "") == "" {
		return ""
	}
	return "| " + f.what + " | " + strings.Join(cells, " | ") + " |\n"
}
