/** Of onnxruntime-web, whose files lie in a folder of that name. */
declare const RUNTIME_VERSION: string;
