package env

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/daymark-lb/daymark/cli/source"
)

// completionTime is how long the shell waits for names at most.
const completionTime = 3 * time.Second

// Completion is what cobra asks for the words that may stand next.
type Completion = func(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective)

// Complete the names of objects that queries find and wanted picks from; wanted nil: the names of all. Words that were given
// already are not offered again, and none is when as many as most were given; 0: there is no such limit.
func (e *Env) Complete(most int, queries func() []source.Query, wanted func(*source.Objects) []string) Completion {
	return func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if most > 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		objects, err := e.readSoon(c.Context(), queries())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names := Names(objects)
		if wanted != nil {
			names = wanted(objects)
		}
		return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(args, name) }), cobra.ShellCompDirectiveNoFileComp
	}
}

// CompleteKind completes names of one cluster-scoped kind.
func (e *Env) CompleteKind(most int, kind source.Kind) Completion {
	return e.Complete(most, func() []source.Query { return []source.Query{{Kind: kind}} }, nil)
}

func (e *Env) readSoon(ctx context.Context, queries []source.Query) (*source.Objects, error) {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	from, err := e.Source()
	if err != nil {
		return nil, err
	}
	return from.Read(ctx, queries...)
}

// Names of all objects that were read.
func Names(objects *source.Objects) (names []string) {
	for _, item := range objects.Items {
		if object, err := meta.Accessor(item); err == nil {
			names = append(names, object.GetName())
		}
	}
	return names
}

// CompleteFlags completes the values of the flags that every command has.
func (e *Env) CompleteFlags(root *cobra.Command) {
	namespaces := e.Complete(0, func() []source.Query { return []source.Query{{Kind: source.Namespaces}} }, nil)
	_ = root.RegisterFlagCompletionFunc("namespace", func(c *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		return namespaces(c, nil, begun)
	})
	_ = root.RegisterFlagCompletionFunc("context", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		raw, err := e.Config.ToRawKubeConfigLoader().RawConfig()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return slices.Sorted(maps.Keys(raw.Contexts)), cobra.ShellCompDirectiveNoFileComp
	})
}
