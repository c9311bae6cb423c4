package env

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Args checks the number of arguments, as cobra's checks do. Too few or too many are an error of the command line, which says what the
// command is to be given, by its usage and the first of its examples.
func Args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if check(c, args) == nil {
			return nil
		}
		_, takes, has := strings.Cut(c.Use, " ")
		switch {
		case len(args) > 0 && c.HasSubCommands() && !has:
			return Usage(fmt.Errorf("unknown command %q for %q; %[2]s --help lists what there is", args[0], c.CommandPath()))
		case len(args) > 0 && !has:
			return Usage(fmt.Errorf("%s takes no arguments, and was given %s; %[1]s --help says what it has", c.CommandPath(), strings.Join(args, " ")))
		case len(args) > 0:
			return Usage(fmt.Errorf("%s takes %s alone, and was given %s%s", c.CommandPath(), takes, strings.Join(args, " "), such(c)))
		}
		return Usage(fmt.Errorf("%s needs %s%s", c.CommandPath(), takes, such(c)))
	}
}

// such is an example of a command, from its own or those of the command above it, and where there are more.
func such(c *cobra.Command) string {
	for _, from := range []*cobra.Command{c, c.Parent()} {
		if from == nil {
			break
		}
		for line := range strings.Lines(from.Example) {
			example, _, _ := strings.Cut(line, " #")
			if example = strings.TrimSpace(example); strings.HasPrefix(example, c.CommandPath()+" ") {
				return fmt.Sprintf(", such as: %s; %s --help says more", example, c.CommandPath())
			}
		}
	}
	return fmt.Sprintf("; %s --help says more", c.CommandPath())
}
