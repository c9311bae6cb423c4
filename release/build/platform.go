package build

import (
	"fmt"
	"slices"
	"strings"
)

// Platform is what a binary runs on.
type Platform struct{ OS, Arch, Variant string }

// All are the platforms of a release. The daemons are made for Linux, the plugin for all.
var All = []Platform{
	{OS: "linux", Arch: "amd64"},
	{OS: "linux", Arch: "arm64"},
	{OS: "linux", Arch: "arm", Variant: "v7"},
	{OS: "linux", Arch: "riscv64"},
	{OS: "linux", Arch: "ppc64le"},
	{OS: "linux", Arch: "s390x"},
	{OS: "darwin", Arch: "amd64"},
	{OS: "darwin", Arch: "arm64"},
	{OS: "windows", Arch: "amd64"},
}

// levels are the instructions that a program may use: each architecture's lowest level that Go knows, or the one that all machines
// with Linux have. They are set, because else the environment of whoever builds would decide.
var levels = map[string]string{
	"amd64": "GOAMD64=v1", "arm64": "GOARM64=v8.0", "arm": "GOARM=7", "riscv64": "GORISCV64=rva20u64", "ppc64le": "GOPPC64=power8",
}

// Parse reads platforms separated by commas, as linux/amd64,linux/arm/v7. Nothing stands for all.
func Parse(text string) ([]Platform, error) {
	if text == "" {
		return All, nil
	}
	var platforms []Platform
	for word := range strings.SplitSeq(text, ",") {
		i := slices.IndexFunc(All, func(p Platform) bool { return p.String() == word })
		if i < 0 {
			return nil, fmt.Errorf("there is no platform %q; there are %v", word, All)
		}
		if slices.Contains(platforms, All[i]) {
			return nil, fmt.Errorf("the platform %s is named twice", word)
		}
		platforms = append(platforms, All[i])
	}
	if !slices.ContainsFunc(platforms, func(p Platform) bool { return p.OS == "linux" }) {
		return nil, fmt.Errorf("%s has no platform with linux, for which the images are: add one, as linux/amd64", text)
	}
	return platforms, nil
}

// String is the platform as containers write it: linux/arm/v7.
func (p Platform) String() string { return p.join("/") }

// File is the platform as part of a file's name: linux_armv7.
func (p Platform) File() string { return p.OS + "_" + p.Arch + p.Variant }

func (p Platform) join(separator string) string {
	if p.Variant == "" {
		return p.OS + separator + p.Arch
	}
	return p.OS + separator + p.Arch + separator + p.Variant
}

// environment is what makes the Go toolchain build for the platform.
func (p Platform) environment() []string {
	variables := []string{"GOOS=" + p.OS, "GOARCH=" + p.Arch}
	if level := levels[p.Arch]; level != "" {
		variables = append(variables, level)
	}
	return variables
}
