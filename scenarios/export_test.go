package scenarios

// YAMLToJSON is for tests of the package from outside.
var (
	YAMLToJSON = yamlToJSON
	FullYAML   = fullYAML
	BlockYAML  = blockYAML
)
