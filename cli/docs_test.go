package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/daymark-lb/daymark/cli/env"
)

// TestDocs_EveryCommandHasAPage: with its commands below, its own flags, and an example. The index and the README lead there.
func TestDocs_EveryCommandHasAPage(t *testing.T) {
	folder := filepath.Join("..", "docs", "cli")
	index, err := os.ReadFile(filepath.Join(folder, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range newRoot(env.New(genericiooptions.NewTestIOStreamsDiscard())).Commands() {
		if command.Hidden || command.Name() == "help" || command.Name() == "completion" {
			continue
		}
		file := command.Name() + ".md"
		page, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil {
			t.Errorf("kubectl daymark %s has no page: %v", command.Name(), err)
			continue
		}
		text := string(page)
		for _, wanted := range append(words(command), "# kubectl daymark "+command.Name(), "    $ kubectl daymark "+command.Name()) {
			if !strings.Contains(text, wanted) {
				t.Errorf("%s does not mention %q", file, wanted)
			}
		}
		if !strings.Contains(string(index), "("+file+")") {
			t.Errorf("docs/cli/README.md does not lead to %s", file)
		}
	}
}

// everyCommand has these flags; docs/cli/README.md says what they do.
var everyCommand = map[string]bool{
	"output": true, "no-headers": true, "template": true, "allow-missing-template-keys": true, "watch": true, "help": true, "all-namespaces": true,
}

// words that the page of a command has: its own flags, and those of the commands below.
func words(c *cobra.Command) (list []string) {
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if !everyCommand[f.Name] && !f.Hidden {
			list = append(list, "`--"+f.Name)
		}
	})
	for _, below := range c.Commands() {
		list = append(list, c.Name()+" "+below.Name())
		list = append(list, words(below)...)
	}
	return list
}
