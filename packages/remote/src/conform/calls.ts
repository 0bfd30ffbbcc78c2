/** Every call that checks make, with the types of its messages; the types are all that is taken from the codec. */
import type { Init } from "../proto/codec.ts";
import type { Any } from "../proto/generated/any.ts";
import type {
  QueryWriteStatusRequest,
  QueryWriteStatusResponse,
  ReadRequest,
  ReadResponse,
  WriteRequest,
  WriteResponse,
} from "../proto/generated/bytestream.ts";
import type * as operations from "../proto/generated/operations.ts";
import type * as asset from "../proto/generated/remote-asset.ts";
import type * as re from "../proto/generated/remote-execution.ts";
import type { CreateLogStreamRequest, LogStream } from "../proto/generated/remote-logstream.ts";
import type { Status } from "../proto/generated/status.ts";

/** An operation as it comes from the wire here: with its oneof flat. */
export interface FlatOperation {
  readonly name: string;
  readonly done: boolean;
  readonly metadata: Any | undefined;
  readonly error?: Status | undefined;
  readonly response?: Any | undefined;
}

interface Call<Request, Answer> {
  readonly request: Init<Request>;
  readonly answer: Answer;
}

/** All calls. */
export interface Calls {
  readonly getCapabilities: Call<re.GetCapabilitiesRequest, re.ServerCapabilities>;
  readonly findMissing: Call<re.FindMissingBlobsRequest, re.FindMissingBlobsResponse>;
  readonly batchUpdate: Call<re.BatchUpdateBlobsRequest, re.BatchUpdateBlobsResponse>;
  readonly batchRead: Call<re.BatchReadBlobsRequest, re.BatchReadBlobsResponse>;
  readonly getTree: Call<re.GetTreeRequest, re.GetTreeResponse>;
  readonly split: Call<re.SplitBlobRequest, re.SplitBlobResponse>;
  readonly splice: Call<re.SpliceBlobRequest, re.SpliceBlobResponse>;
  readonly getAction: Call<re.GetActionResultRequest, re.ActionResult>;
  readonly updateAction: Call<re.UpdateActionResultRequest, re.ActionResult>;
  readonly execute: Call<re.ExecuteRequest, FlatOperation>;
  readonly waitExecution: Call<re.WaitExecutionRequest, FlatOperation>;
  readonly getOperation: Call<operations.GetOperationRequest, FlatOperation>;
  readonly listOperations: Call<operations.ListOperationsRequest, { readonly operations: readonly FlatOperation[] }>;
  readonly cancelOperation: Call<operations.CancelOperationRequest, unknown>;
  readonly deleteOperation: Call<operations.DeleteOperationRequest, unknown>;
  readonly read: Call<ReadRequest, ReadResponse>;
  readonly write: Call<WriteRequest, WriteResponse>;
  readonly writeStatus: Call<QueryWriteStatusRequest, QueryWriteStatusResponse>;
  readonly fetchBlob: Call<asset.FetchBlobRequest, asset.FetchBlobResponse>;
  readonly fetchDirectory: Call<asset.FetchDirectoryRequest, asset.FetchDirectoryResponse>;
  readonly pushBlob: Call<asset.PushBlobRequest, unknown>;
  readonly pushDirectory: Call<asset.PushDirectoryRequest, unknown>;
  readonly createLog: Call<CreateLogStreamRequest, LogStream>;
}

/** The name of a call. */
export type CallName = keyof Calls;

const RE = "build.bazel.remote.execution.v2";
const CAS = `${RE}.ContentAddressableStorage`;
const OPERATIONS = "google.longrunning.Operations";
const BYTES = "google.bytestream.ByteStream";
const ASSET = "build.bazel.remote.asset.v1";

/** Which method each is. */
export const METHOD_NAMES: Readonly<Record<CallName, string>> = {
  getCapabilities: `${RE}.Capabilities/GetCapabilities`,
  findMissing: `${CAS}/FindMissingBlobs`,
  batchUpdate: `${CAS}/BatchUpdateBlobs`,
  batchRead: `${CAS}/BatchReadBlobs`,
  getTree: `${CAS}/GetTree`,
  split: `${CAS}/SplitBlob`,
  splice: `${CAS}/SpliceBlob`,
  getAction: `${RE}.ActionCache/GetActionResult`,
  updateAction: `${RE}.ActionCache/UpdateActionResult`,
  execute: `${RE}.Execution/Execute`,
  waitExecution: `${RE}.Execution/WaitExecution`,
  getOperation: `${OPERATIONS}/GetOperation`,
  listOperations: `${OPERATIONS}/ListOperations`,
  cancelOperation: `${OPERATIONS}/CancelOperation`,
  deleteOperation: `${OPERATIONS}/DeleteOperation`,
  read: `${BYTES}/Read`,
  write: `${BYTES}/Write`,
  writeStatus: `${BYTES}/QueryWriteStatus`,
  fetchBlob: `${ASSET}.Fetch/FetchBlob`,
  fetchDirectory: `${ASSET}.Fetch/FetchDirectory`,
  pushBlob: `${ASSET}.Push/PushBlob`,
  pushDirectory: `${ASSET}.Push/PushDirectory`,
  createLog: "build.bazel.remote.logstream.v1.LogStreamService/CreateLogStream",
};
