// Package krew writes the manifest of the plugin for krew, the manager of kubectl's plugins. It refuses to publish it: that is a pull
// request to krew's index.
package krew

import (
	"bytes"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/daymark-lb/daymark/release/build"
)

// Archive is one with the plugin.
type Archive struct {
	Platform build.Platform
	// File is the archive's name, Sum its SHA-256.
	File, Sum string
}

const (
	home        = "https://github.com/daymark-lb/daymark"
	description = `Shows what Daymark does for Services of type LoadBalancer: which addresses
they have, from which pool, which node holds them or which routers are told,
and why not: of a Service, an address, a node, a pool or a BGP peer.
`
)

// Program is the plugin's file, without .exe. Completer is the file that kubectl asks to complete the plugin's words; on Windows there is
// none.
const (
	Program   = "kubectl-daymark"
	Completer = "kubectl_complete-daymark"
	// CompleterScript is what the file has in it.
	CompleterScript = "#!/bin/sh\nexec kubectl-daymark __complete \"$@\"\n"
)

// Knows reports whether krew installs plugins on the platform.
func Knows(platform build.Platform) bool {
	return slices.Contains(known, platform.OS+"/"+platform.Arch)
}

// known are the platforms of a release among those that krew's validator accepts.
var known = []string{"linux/amd64", "linux/arm", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64"}

// Manifest describes a version of the plugin.
func Manifest(version string, archives []Archive) ([]byte, error) {
	var platforms []map[string]any
	for _, archive := range archives {
		program, files := Program, []string{Program, Completer, "LICENSE"}
		if archive.Platform.OS == "windows" {
			program += ".exe"
			files = []string{program, "LICENSE"}
		}
		platforms = append(platforms, map[string]any{
			"selector": map[string]any{"matchLabels": map[string]string{"os": archive.Platform.OS, "arch": archive.Platform.Arch}},
			"uri":      strings.Join([]string{home, "releases", "download", version, archive.File}, "/"), "sha256": archive.Sum, "bin": program,
			"files": moved(files),
		})
	}
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": "krew.googlecontainertools.github.com/v1alpha2", "kind": "Plugin", "metadata": map[string]string{"name": "daymark"},
		"spec": map[string]any{
			"version": version, "homepage": home, "shortDescription": "Explain load balancer addresses on bare metal",
			"description": description, "platforms": platforms,
		},
	})
	return bytes.TrimLeft(text, "\n"), err
}

// moved are files that krew takes out of the archive as they are.
func moved(names []string) (files []map[string]string) {
	for _, name := range names {
		files = append(files, map[string]string{"from": name, "to": "."})
	}
	return files
}
