// Command monitoring writes the dashboards of the chart from what is declared here: the panels, each with its queries. Its tests are
// those of the alerts in config/chart/rules.yaml as well. It refuses to know anything of a cluster; what the queries give on a real
// Prometheus is shown by the tests in e2e.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: monitoring FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "monitoring:", err)
		os.Exit(1)
	}
}

// run writes all dashboards into a folder.
func run(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	for name, d := range map[string]dashboard{"daymark": overview(), "daymark-bgp": routing()} {
		text, err := json.MarshalIndent(d.document(name), "", "  ")
		if err != nil {
			return fmt.Errorf("make %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(folder, name+".json"), append(text, '\n'), 0o644); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}
