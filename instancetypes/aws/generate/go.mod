// The generator of the embedded catalog, a module of its own so that the
// library does not depend on what its data is made from.
module github.com/binwright/binwright/instancetypes/aws/generate

go 1.26.0
